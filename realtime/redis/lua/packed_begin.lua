-- Creates a list that holds only a marker, so that it takes pushes while its rows are being read from SQL.
-- KEYS[1]: the list. ARGV: token (8 bytes), lease in milliseconds.
-- Answers 1, or 0 where there is a complete list, or an unexpired lease of another builder.
-- A marker is 'm', the token and the millisecond (Redis TIME) at which the lease ends.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local last = redis.call('LINDEX', KEYS[1], -1)
if last then
  if last:byte() == 102 then return 0 end
  if (tonumber(last:sub(10)) or 0) > now then return 0 end
  redis.call('DEL', KEYS[1])
end
redis.call('RPUSH', KEYS[1], 'm' .. ARGV[1] .. string.format('%.0f', now + ARGV[2]))
-- a builder may still finish after its lease, but an abandoned list must not grow for ever
redis.call('PEXPIRE', KEYS[1], 3 * ARGV[2])
return 1
