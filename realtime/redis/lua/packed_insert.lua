-- For the scripts that add to a list: the ids of a list stand from the largest down, each of them once.
-- A packed id has 8 bytes, the last element of a list, its floor or a marker, has more. Ids are compared in two halves: a
-- double holds 53 bits only.
local SOME = 32

local function is_above(high, low, other)
  local other_high, other_low = struct.unpack('>I4I4', other)
  return high > other_high or (high == other_high and low > other_low)
end

-- Puts an id into its place in a list; answers the length of the list, 0 where there is none. Mostly it is the largest.
local function insert(key, id)
  local high, low = struct.unpack('>I4I4', id)
  local head = redis.call('LINDEX', key, 0)
  if not head then return 0 end
  if #head ~= 8 or is_above(high, low, head) then return redis.call('LPUSH', key, id) end
  for start = 0, redis.call('LLEN', key), SOME do
    for _, element in ipairs(redis.call('LRANGE', key, start, start + SOME - 1)) do
      if element == id then return redis.call('LLEN', key) end
      if #element ~= 8 or is_above(high, low, element) then
        return redis.call('LINSERT', key, 'BEFORE', element, id)
      end
    end
  end
end
