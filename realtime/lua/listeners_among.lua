-- Which of some people listen to a topic, on each node.
-- KEYS[1]: the set of nodes of the topic; a node's own set of people has the same name, a colon and the node's id.
-- ARGV: the ids of the people. Answers {node, {id, ...}, node, {id, ...}, ...}, only nodes that have any of them.
-- A node whose set is gone is dead (the set expires unless the node renews it) and is taken off the list.
local answer = {}
for _, node in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local key = KEYS[1] .. ':' .. node
  local found = {}
  for i, is_member in ipairs(redis.call('SMISMEMBER', key, unpack(ARGV))) do
    if is_member == 1 then found[#found + 1] = ARGV[i] end
  end
  if #found > 0 then
    answer[#answer + 1] = node
    answer[#answer + 1] = found
  elseif redis.call('EXISTS', key) == 0 then
    redis.call('SREM', KEYS[1], node)
  end
end
return answer
