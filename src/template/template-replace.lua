-- Puts a template in the place of the version that the caller has seen.
--
-- KEYS  the tenant's templates (hash: id -> "updatedAt", a line feed, JSON)
-- ARGV  id, updatedAt of the version seen, the new value
-- Returns 1, or 0 when that version is not there any more.

local value = redis.call('HGET', KEYS[1], ARGV[1])
local seen = ARGV[2] .. '\n'
if not value or string.sub(value, 1, #seen) ~= seen then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
