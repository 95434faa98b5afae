-- Replaces the marker by the rows and the floor; answers 0 where the marker with this token is gone. Uses packed_insert
-- and packed_trim: the list was not trimmed while it was built.
-- KEYS[1]: the list. ARGV: token, ids in one string, from the largest down and each once, floor and version in one string,
-- time to live in seconds, the length to trim to, by how much it may exceed that before it is trimmed.
local last = redis.call('LINDEX', KEYS[1], -1)
if not last or last:byte() ~= 109 or last:sub(2, 9) ~= ARGV[1] then return 0 end
local pushed = redis.call('LRANGE', KEYS[1], 0, -2)
redis.call('DEL', KEYS[1])
local ids = ARGV[2]
for at = 1, #ids, 8 do redis.call('RPUSH', KEYS[1], ids:sub(at, at + 7)) end
redis.call('RPUSH', KEYS[1], 'f' .. ARGV[3])
-- the smallest first: mostly each is the largest of the list then
for at = #pushed, 1, -1 do insert(KEYS[1], pushed[at]) end
trim(KEYS[1], redis.call('LLEN', KEYS[1]), tonumber(ARGV[5]), tonumber(ARGV[6]))
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
