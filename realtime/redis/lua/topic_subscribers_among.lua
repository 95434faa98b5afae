-- Which of the given users subscribe a topic, on each node.
-- KEYS[1]: the set of the topic's nodes; a node's own set of users has the same name, a colon and the node's id.
-- ARGV[1]: the users' ids, at most some thousands, separated by spaces. Answers in the same form:
-- {node, ids, node, ids, ...}, only nodes that have any of them. One string parses faster than a thousand.
-- A node whose set is gone is dead (the set expires unless the node renews it) and is taken off the set of nodes.
local ids = {}
for id in ARGV[1]:gmatch('%d+') do ids[#ids + 1] = id end
local answer = {}
for _, node in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local key = KEYS[1] .. ':' .. node
  local found = {}
  for i, is_member in ipairs(redis.call('SMISMEMBER', key, unpack(ids))) do
    if is_member == 1 then found[#found + 1] = ids[i] end
  end
  if #found > 0 then
    answer[#answer + 1] = node
    answer[#answer + 1] = table.concat(found, ' ')
  elseif redis.call('EXISTS', key) == 0 then
    redis.call('SREM', KEYS[1], node)
  end
end
return answer
