-- Adds up the totals of shards.
--
-- ARGV  '' for all tenants, or a tenant and a colon
-- Returns tracked, acked, expired, latency.

local sums = { 0, 0, 0, 0 }
for shard = 1, #KEYS / 3 do
  local of = ARGV[1]
  local values = redis.call('HMGET', KEYS[3 * shard], of .. 'tracked', of .. 'acked', of .. 'expired', of .. 'latency')
  for n = 1, 4 do sums[n] = sums[n] + tonumber(values[n] or 0) end
end
return sums
