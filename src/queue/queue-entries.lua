-- What the scripts of the queue share; stands before each of them.
--
-- A user's entries lie in two keys:
--   stream  what is read, by position: i = notification id, p = priority, j = JSON of the frame
--   index   notification id -> "position expiresAt inFlightUntil deliveries"
-- Each shard, which is a place that many users share, has two more:
--   due     stream -> a time before which nothing in it expires; holds every stream that has entries
--   state   position = the last one given, messages = entries in all streams, expired = entries that were removed
--           because they had expired, but that no sweep has told yet
--
-- Scripts that write take the shards' keys first, two for each: KEYS[2n - 1] = due, KEYS[2n] = state of the n-th.
-- Times are milliseconds of the caller's clock; positions are microseconds of the server's, made unique.

local function parse(line)
  local position, expires, flight, deliveries = string.match(line, '^(%S+) (%d+) (%d+) (%d+)$')
  return { position = position, expires = tonumber(expires), flight = tonumber(flight), deliveries = tonumber(deliveries) }
end

local function format(entry)
  return string.format('%s %.0f %.0f %d', entry.position, entry.expires, entry.flight, entry.deliveries)
end

local function remove(stream, index, id, entry)
  redis.call('XDEL', stream, entry.position)
  redis.call('HDEL', index, id)
end

-- To be called after a removal. An emptied stream would stay for ever.
local function forget_if_empty(due, stream, index)
  if redis.call('HLEN', index) == 0 then
    redis.call('DEL', stream)
    redis.call('ZREM', due, stream)
  end
end

-- Removes what has expired of one stream and says how many; reads its whole index.
local function expire(due, stream, index, now)
  local removed, next_expiry = 0, nil
  local lines = redis.call('HGETALL', index)
  for n = 1, #lines, 2 do
    local entry = parse(lines[n + 1])
    if entry.expires <= now then
      remove(stream, index, lines[n], entry)
      removed = removed + 1
    elseif next_expiry == nil or entry.expires < next_expiry then
      next_expiry = entry.expires
    end
  end
  if next_expiry then
    redis.call('ZADD', due, next_expiry, stream)
  else
    redis.call('DEL', stream)
    redis.call('ZREM', due, stream)
  end
  return removed
end

-- Adds to a number of a shard's state, if there is anything to add.
local function count(shard, field, n)
  if n and n ~= 0 then redis.call('HINCRBY', KEYS[2 * shard], field, n) end
end
