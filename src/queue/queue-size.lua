-- Counts entries and the streams that hold them.
--
-- KEYS  the shards' keys
-- Returns entries, streams.

local messages, streams = 0, 0
for n = 1, #KEYS, 2 do
  streams = streams + redis.call('ZCARD', KEYS[n])
  messages = messages + tonumber(redis.call('HGET', KEYS[n + 1], 'messages') or 0)
end
return { messages, streams }
