-- Appends notifications to streams: all of this call, or, where their dedupe key was claimed before, none of one.
--
-- KEYS  the shards' keys; then the dedupe keys that are claimed, in the order of their appends; then stream and index
--       for each user of each append, in order
-- ARGV  now, cap, milliseconds that a dedupe key is remembered, milliseconds that an entry is in flight,
--       number of shards, number of dedupe keys; then for each append two: its JSON, and in one text, since every argument
--       has its price, "id priority expiresAt claims place …": claims is 1 when it claims a dedupe key else 0; each user's
--       place is twice the number of their shard, plus 1 when they are present
-- Returns, for each append, how many entries the cap pushed out (those in flight not counted), or -1 for a duplicate.

local now, cap = tonumber(ARGV[1]), tonumber(ARGV[2])
local dedupe_ms, flight_ms = tonumber(ARGV[3]), tonumber(ARGV[4])
local shards = tonumber(ARGV[5])
local claim_key = 2 * shards
local user_key = claim_key + tonumber(ARGV[6])

local time = redis.call('TIME')
local clock = time[1] * 1000000 + time[2]
local last, added, expired = {}, {}, {}

local function next_position(shard)
  local previous = last[shard] or tonumber(redis.call('HGET', KEYS[2 * shard], 'position') or 0)
  last[shard] = math.max(clock, previous + 1)
  return string.format('%.0f-0', last[shard])
end

local function is_first_claim()
  claim_key = claim_key + 1
  local claimed_until = redis.call('GET', KEYS[claim_key])
  if claimed_until and tonumber(claimed_until) > now then return false end
  -- The server's clock may run a little faster than the callers'.
  redis.call('SET', KEYS[claim_key], string.format('%.0f', now + dedupe_ms), 'PX', dedupe_ms + 60000)
  return true
end

-- The oldest but `own` that is not in flight, else the oldest but `own`.
local function victim(stream, index, own)
  local head = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  local head_id = head[2][2]
  local head_entry = parse(redis.call('HGET', index, head_id))
  if head_id ~= own and head_entry.flight <= now then return head_id, head_entry end
  local best_id, best
  local lines = redis.call('HGETALL', index)
  for n = 1, #lines, 2 do
    local entry = parse(lines[n + 1])
    if lines[n] ~= own then
      local idle, best_idle = entry.flight <= now, best and best.flight <= now
      -- Positions are equally long, so that their order as texts is their order as numbers.
      if not best or (idle and not best_idle) or (idle == best_idle and entry.position < best.position) then
        best_id, best = lines[n], entry
      end
    end
  end
  return best_id, best
end

-- Makes room after `own` was added; says how many were dropped.
local function trim(shard, stream, index, own)
  if redis.call('HLEN', index) <= cap then return 0 end
  local due = KEYS[2 * shard - 1]
  if tonumber(redis.call('ZSCORE', due, stream)) <= now then
    local count_expired = expire(due, stream, index, now)
    expired[shard] = (expired[shard] or 0) + count_expired
    added[shard] = added[shard] - count_expired
  end
  local dropped = 0
  while redis.call('HLEN', index) > cap do
    local id, entry = victim(stream, index, own)
    if not id then break end
    if entry.flight <= now then dropped = dropped + 1 end
    remove(stream, index, id, entry)
    added[shard] = added[shard] - 1
  end
  return dropped
end

local function store(shard, stream, index, id, priority, expires, json, flight)
  if expires <= now then
    if redis.call('HEXISTS', index, id) == 0 then expired[shard] = (expired[shard] or 0) + 1 end
    return 0
  end
  local position = next_position(shard)
  local line = format({ position = position, expires = expires, flight = flight, deliveries = 0 })
  if redis.call('HSETNX', index, id, line) == 0 then
    local held = parse(redis.call('HGET', index, id))
    if held.expires > now then return 0 end
    remove(stream, index, id, held)
    redis.call('HSET', index, id, line)
    expired[shard] = (expired[shard] or 0) + 1
    added[shard] = (added[shard] or 0) - 1
  end
  redis.call('XADD', stream, position, 'i', id, 'p', priority, 'j', json)
  redis.call('ZADD', KEYS[2 * shard - 1], 'LT', expires, stream)
  added[shard] = (added[shard] or 0) + 1
  return trim(shard, stream, index, id)
end

local outcomes = {}
for at = 7, #ARGV, 2 do
  local next_word = string.gmatch(ARGV[at + 1], '%S+')
  local id, priority, expires, claims = next_word(), next_word(), tonumber(next_word()), next_word() == '1'
  local is_mine = not claims or is_first_claim()
  local dropped = is_mine and 0 or -1
  for place in next_word do
    if is_mine then
      local shard, present = math.floor(place / 2), place % 2 == 1
      local flight = present and now + flight_ms or 0
      local stream, index = KEYS[user_key + 1], KEYS[user_key + 2]
      dropped = dropped + store(shard, stream, index, id, priority, expires, ARGV[at], flight)
    end
    user_key = user_key + 2
  end
  outcomes[#outcomes + 1] = dropped
end

for shard = 1, shards do
  count(shard, 'messages', added[shard])
  count(shard, 'expired', expired[shard])
  if last[shard] then redis.call('HSET', KEYS[2 * shard], 'position', string.format('%.0f', last[shard])) end
end
return outcomes
