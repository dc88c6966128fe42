-- Removes what was not acknowledged in time.
--
-- ARGV  now, the most to remove per shard
-- Returns how many were removed, and 1 when a shard may have more.

local removed, has_more = 0, 0
for shard = 1, #KEYS / 3 do
  local names = redis.call('ZRANGEBYSCORE', due(shard), '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
  for _, name in ipairs(names) do
    remove(shard, name)
    count(shard, name, 'expired', 1)
  end
  removed = removed + #names
  if #names == tonumber(ARGV[2]) then has_more = 1 end
end
write_totals()
return { removed, has_more }
