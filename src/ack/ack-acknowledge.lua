-- Settles acknowledgements, in order.
--
-- ARGV  now; then for each: number of its shard, name
-- Returns for each how many milliseconds it took, -1 when it is not known, -2 when it came too late.

local now = tonumber(ARGV[1])
local outcomes = {}
for n = 2, #ARGV, 2 do
  local shard, name = tonumber(ARGV[n]), ARGV[n + 1]
  local expires = redis.call('ZSCORE', due(shard), name)
  local outcome = -1
  if expires and tonumber(expires) <= now then
    outcome = -2
    count(shard, name, 'expired', 1)
  elseif expires then
    -- The clock of the node that sent it may have been ahead.
    outcome = math.max(0, now - tonumber(redis.call('HGET', sent(shard), name)))
    count(shard, name, 'acked', 1)
    count(shard, name, 'latency', outcome)
  end
  if expires then remove(shard, name) end
  outcomes[#outcomes + 1] = outcome
end
write_totals()
return outcomes
