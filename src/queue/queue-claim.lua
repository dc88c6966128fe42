-- Claims a dedupe key where the append that follows cannot be part of the same step (Redis Cluster).
--
-- KEYS  the claim
-- ARGV  now, milliseconds that it is remembered, what is to be appended
-- Returns nil when this call claimed it; else when it was claimed, and what is still to be appended ('' = nothing).

local now, dedupe_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local claim = redis.call('HMGET', KEYS[1], 'until', 'at', 'append')
if claim[1] and tonumber(claim[1]) > now then return { claim[2], claim[3] or '' } end
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + dedupe_ms), 'at', ARGV[1], 'append', ARGV[3])
redis.call('PEXPIRE', KEYS[1], dedupe_ms + 60000)
return nil
