-- Removes the sessions that a dead instance left, of some users of one shard.
--
-- KEYS  the shard's users; then for each user their sessions and the users of their tenant
-- ARGV  the instance; then the users' names

local suffix = ' ' .. ARGV[1]
for n = 1, #ARGV - 1 do
  local sessions, of_tenant = KEYS[2 * n], KEYS[2 * n + 1]
  local fields = redis.call('HGETALL', sessions)
  for i = 1, #fields, 2 do
    if string.sub(fields[i + 1], -#suffix) == suffix then redis.call('HDEL', sessions, fields[i]) end
  end
  if redis.call('EXISTS', sessions) == 0 then
    redis.call('ZREM', KEYS[1], ARGV[n + 1])
    redis.call('ZREM', of_tenant, ARGV[n + 1])
  end
end
return #ARGV
