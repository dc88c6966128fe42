-- Takes one token from a bucket. Counted in parts of a token, so that all sums are of whole numbers: a token is as many
-- parts as its period has milliseconds, and each millisecond brings as many parts as the rule has tokens per period.
--
-- KEYS  the bucket: "parts at"; none = full
-- ARGV  capacity, tokens that come back per period, period in milliseconds
-- Returns 1 when there was a token else 0, and the parts left.
--
-- Time is the server's: the clocks of several nodes differ, and who asked them in turn would be given the difference.

local capacity, refill, period = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = capacity * period
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local parts = full
local bucket = redis.call('GET', KEYS[1])
if bucket then
  local left, at = string.match(bucket, '^(%d+) (%d+)$')
  parts = math.min(full, tonumber(left) + math.max(0, now - tonumber(at)) * refill)
end

local allowed = 0
if parts >= period then
  allowed = 1
  parts = parts - period
end
-- Forgotten as soon as it is full again.
local lifetime = math.ceil((full - parts) / refill)
if lifetime > 0 then redis.call('SET', KEYS[1], string.format('%.0f %.0f', parts, now), 'PX', lifetime) end
return { allowed, parts }
