-- Finds streams in which something may have expired.
--
-- KEYS  the shards' keys
-- ARGV  now, the most to find per shard
-- Returns the streams of each shard.

local found = {}
for n = 1, #KEYS, 2 do
  found[#found + 1] = redis.call('ZRANGEBYSCORE', KEYS[n], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
end
return found
