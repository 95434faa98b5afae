-- Answers {floor and version in one string, ids in one string, 1 where these are the last ids of the list} of a complete
-- list, and renews its time to live; false where there is none. Uses packed_insert.
-- KEYS[1]: the list. ARGV: time to live in seconds, the id below which to begin (8 bytes), the most ids.
local floor = redis.call('LINDEX', KEYS[1], -1)
if not floor or floor:byte() ~= 102 then return false end
redis.call('EXPIRE', KEYS[1], ARGV[1])
local high, low = struct.unpack('>I4I4', ARGV[2])
local length = redis.call('LLEN', KEYS[1]) - 1
local first = 0
if length > 0 and not is_above(high, low, redis.call('LINDEX', KEYS[1], 0)) then
  local after = length
  while first < after do
    local middle = math.floor((first + after) / 2)
    if is_above(high, low, redis.call('LINDEX', KEYS[1], middle)) then after = middle else first = middle + 1 end
  end
end
local after = math.min(first + tonumber(ARGV[3]), length)
local ids = after > first and table.concat(redis.call('LRANGE', KEYS[1], first, after - 1)) or ''
return {floor:sub(2), ids, after == length and 1 or 0}
