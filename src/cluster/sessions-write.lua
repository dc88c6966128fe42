-- Adds, prolongs and removes sessions of one shard, in order.
--
-- KEYS  the shard's users, by the moment at which their last session ends; then for each session its user's sessions and
--       the users of its tenant, kept in the same way
-- ARGV  milliseconds that a session lives; then for each the user's name, the connection's id, and the session's record,
--       empty to remove it
-- A session is kept as "ends record".

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = string.format('%.0f', now + ARGV[1])
local all = KEYS[1]

for n = 1, (#KEYS - 1) / 2 do
  local sessions, of_tenant = KEYS[2 * n], KEYS[2 * n + 1]
  local name, connection, record = ARGV[3 * n - 1], ARGV[3 * n], ARGV[3 * n + 1]
  if record ~= '' then
    redis.call('HSET', sessions, connection, ends .. ' ' .. record)
    redis.call('PEXPIRE', sessions, ARGV[1])
    redis.call('ZADD', all, ends, name)
    redis.call('ZADD', of_tenant, ends, name)
    redis.call('PEXPIRE', of_tenant, ARGV[1])
  elseif redis.call('HDEL', sessions, connection) == 1 and redis.call('EXISTS', sessions) == 0 then
    redis.call('ZREM', all, name)
    redis.call('ZREM', of_tenant, name)
  end
end
redis.call('ZREMRANGEBYSCORE', all, '-inf', string.format('%.0f', now))
redis.call('PEXPIRE', all, ARGV[1])
return #KEYS
