-- Gives back what gcra.lua took from every key.
-- KEYS: the counters. ARGV, for each key: the microseconds that were taken.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
for i, key in ipairs(KEYS) do
  local at = tonumber(redis.call('GET', key) or '0') - ARGV[i]
  if at > now then
    redis.call('SET', key, string.format('%.0f', at), 'PX', math.ceil((at - now) / 1000))
  else
    redis.call('DEL', key)
  end
end
