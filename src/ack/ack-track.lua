-- Expects acknowledgements.
--
-- ARGV  for each: number of its shard, name, sentAt, expiresAt
-- Returns how many were new, and how many of those had expired here: one that is pending keeps its first times, unless
-- they are over.

local fresh, renewed = 0, 0
for n = 1, #ARGV, 4 do
  local shard, name, sent_at, expires = tonumber(ARGV[n]), ARGV[n + 1], ARGV[n + 2], ARGV[n + 3]
  local known = redis.call('ZSCORE', due(shard), name)
  local is_over = known and tonumber(known) <= tonumber(sent_at)
  if is_over then
    count(shard, name, 'expired', 1)
    renewed = renewed + 1
  end
  if is_over or not known then
    redis.call('HSET', sent(shard), name, sent_at)
    redis.call('ZADD', due(shard), expires, name)
    count(shard, name, 'tracked', 1)
    fresh = fresh + 1
  end
end
write_totals()
return { fresh, renewed }
