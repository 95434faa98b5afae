-- For the scripts that lengthen a list: cuts it down to max_length once it exceeds that by more than slack.
-- The last element of a complete list is its floor and version ('f' and 8 bytes each); a list being built ends in a marker instead and
-- is not trimmed. Trimming raises the floor, so that every pushed id above the floor is in the list.
local function trim(key, length, max_length, slack)
  if length <= max_length + slack + 1 then return end
  local tail = redis.call('LRANGE', key, max_length - length, -1)
  local floor = tail[#tail]
  if floor:byte() ~= 102 then return end
  -- in two halves: a double holds 53 bits only
  local floor_high, floor_low = struct.unpack('>I4I4', floor:sub(2))
  for i = 1, #tail - 1 do
    local high, low = struct.unpack('>I4I4', tail[i])
    if high > floor_high or (high == floor_high and low > floor_low) then
      floor_high, floor_low = high, low
    end
  end
  redis.call('LTRIM', key, 0, max_length - 1)
  redis.call('RPUSH', key, 'f' .. struct.pack('>I4I4', floor_high, floor_low) .. floor:sub(10))
end
