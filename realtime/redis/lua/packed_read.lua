-- Answers {floor and version in one string, all ids in one string} of a complete list and renews its time to live; false where there is none.
-- KEYS[1]: the list. ARGV: time to live in seconds.
local elements = redis.call('LRANGE', KEYS[1], 0, -1)
local floor = table.remove(elements)
if not floor or floor:byte() ~= 102 then return false end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return {floor:sub(2), table.concat(elements)}
