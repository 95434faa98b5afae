-- Takes units from every key, whether it has them or not: they were admitted already.
-- KEYS: the counters. ARGV, for each key: microseconds in which one unit is refilled, units.
-- Answers, for each key, in how many microseconds all that was taken will be refilled.
-- A key holds the microsecond (Redis TIME) at which all that was taken will be refilled.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local ahead = {}
for i, key in ipairs(KEYS) do
  local at = tonumber(redis.call('GET', key) or '0')
  if at < now then at = now end
  at = at + ARGV[2 * i - 1] * ARGV[2 * i]
  redis.call('SET', key, string.format('%.0f', at), 'PX', math.max(1, math.ceil((at - now) / 1000)))
  ahead[i] = at - now
end
return ahead
