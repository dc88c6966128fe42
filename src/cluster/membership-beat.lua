-- Prolongs a member's life by one beat.
--
-- KEYS  the members: instances, by the moment at which they are dead unless they have beaten again
-- ARGV  the instance, milliseconds that it lives on
-- Returns the time in milliseconds, whether the instance was not among the living, those found dead and removed, and the
-- living.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local dead = redis.call('ZRANGE', KEYS[1], '-inf', string.format('%.0f', now), 'BYSCORE')
if #dead > 0 then redis.call('ZREM', KEYS[1], unpack(dead)) end
local is_new = redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], 10 * ARGV[2])
return { now, is_new, dead, redis.call('ZRANGE', KEYS[1], 0, -1) }
