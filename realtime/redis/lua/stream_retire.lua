-- Takes consumers out of a group that have neither asked for anything for a while nor hold anything: workers that are
-- gone for good. In one step: what was handed out to a consumer that is taken out could be claimed by nobody.
-- KEYS[1]: the stream. ARGV: the group, the milliseconds. Answers how many there were.
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
