-- Takes the cost of a call from every key, or from none of them where one has too little left.
-- KEYS: the counters. ARGV, for each key: microseconds in which one unit is refilled, tolerance in microseconds, cost;
-- then 'take', or 'look' to decide and take nothing.
-- Answers {} when allowed, else {index of the key that has to wait longest, milliseconds to wait}.
-- A key holds the microsecond (Redis TIME) at which all that was taken will be refilled.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local full_at = {}
local refused, wait = 0, 0
for i, key in ipairs(KEYS) do
  local at = full_at[key] or tonumber(redis.call('GET', key) or '0')
  if at < now then at = now end
  at = at + ARGV[3 * i - 2] * ARGV[3 * i]
  full_at[key] = at
  local ahead = at - ARGV[3 * i - 1] - now
  if ahead > wait then refused, wait = i, ahead end
end
if refused > 0 then return {refused, math.ceil(wait / 1000)} end
if ARGV[#ARGV] == 'look' then return {} end
for key, at in pairs(full_at) do
  redis.call('SET', key, string.format('%.0f', at), 'PX', math.max(1, math.ceil((at - now) / 1000)))
end
return {}
