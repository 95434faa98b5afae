-- All subscribers of a topic on each node: {node, ids, node, ids, ...}, the ids separated by spaces, with the node's
-- mark among them. One string parses faster than thousands.
-- KEYS[1]: the set of the topic's nodes; a node's own set of users has the same name, a colon and the node's id.
local answer = {}
for _, node in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  answer[#answer + 1] = node
  answer[#answer + 1] = table.concat(redis.call('SMEMBERS', KEYS[1] .. ':' .. node), ' ')
end
return answer
