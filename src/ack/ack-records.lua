-- What the scripts of the acknowledgements share; stands before each of them.
--
-- KEYS, for each shard, which is a place that many users share:
--   sent    hash: name of an awaited acknowledgement -> sentAt
--   due     sorted set: name by expiresAt
--   totals  hash: tracked, acked, expired, latency (milliseconds) of all tenants, and of each as "tenant:tracked" …
-- A name begins with its tenant and a colon. Times are milliseconds of the caller's clock.

local function sent(shard) return KEYS[3 * shard - 2] end
local function due(shard) return KEYS[3 * shard - 1] end

local totals = {}

local function count(shard, name, field, n)
  local of_shard = totals[shard] or {}
  totals[shard] = of_shard
  of_shard[field] = (of_shard[field] or 0) + n
  local own = string.match(name, '^[^:]*:') .. field
  of_shard[own] = (of_shard[own] or 0) + n
end

-- To be called once, at the end.
local function write_totals()
  for shard, of_shard in pairs(totals) do
    for field, n in pairs(of_shard) do redis.call('HINCRBY', KEYS[3 * shard], field, n) end
  end
end

local function remove(shard, name)
  redis.call('HDEL', sent(shard), name)
  redis.call('ZREM', due(shard), name)
end
