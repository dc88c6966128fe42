-- Removes what has expired from streams.
--
-- KEYS  the shards' keys; then stream and index of each
-- ARGV  number of shards, now; then for each stream the number of its shard
-- Returns how many were removed here, and by appends since the last sweep of these shards.

local shards, now = tonumber(ARGV[1]), tonumber(ARGV[2])
local told = 0
for n = 0, #ARGV - 3 do
  local shard = tonumber(ARGV[n + 3])
  local key = 2 * (shards + n)
  local removed = expire(KEYS[2 * shard - 1], KEYS[key + 1], KEYS[key + 2], now)
  count(shard, 'messages', -removed)
  told = told + removed
end
for shard = 1, shards do
  told = told + tonumber(redis.call('HGET', KEYS[2 * shard], 'expired') or 0)
  redis.call('HDEL', KEYS[2 * shard], 'expired')
end
return told
