-- Puts one id into its place in every list that exists; answers how many exist. Uses packed_insert and packed_trim.
-- KEYS: the lists. ARGV: the id (8 bytes, big-endian), the length to trim to, by how much a list may exceed that
-- before it is trimmed.
local id, max_length, slack = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local pushed = 0
for _, key in ipairs(KEYS) do
  local length = insert(key, id)
  if length > 0 then pushed = pushed + 1 end
  trim(key, length, max_length, slack)
end
return pushed
