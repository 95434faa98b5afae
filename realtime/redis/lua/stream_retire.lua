-- Deletes the consumers of a group that were idle for some time and have no unacked entries: workers that are gone for
-- good. In one step: nobody could claim an entry that is delivered to a consumer between the check and the deletion.
-- KEYS[1]: the stream. ARGV: the group, the idle time in milliseconds. Answers how many were deleted.
local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if consumers.err then
  return 0
end
local retired = 0
for _, consumer in ipairs(consumers) do
  local facts = {}
  for place = 1, #consumer, 2 do
    facts[consumer[place]] = consumer[place + 1]
  end
  if facts['pending'] == 0 and facts['idle'] >= tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], facts['name'])
    retired = retired + 1
  end
end
return retired
