-- Appends notifications to streams: all of this call, or, where their dedupe key was claimed before, none of one.
--
-- KEYS  the shards' keys; then the dedupe keys that are claimed, in the order of their appends; then stream and index
--       for each user of each append, in order
-- ARGV  now, cap, milliseconds that a dedupe key is remembered, milliseconds that an entry is in flight,
--       number of shards, number of dedupe keys; then for each append: id, priority, expiresAt, JSON,
--       1 when it claims a dedupe key else 0, number of users; and for each user twice the number of their shard, plus 1
--       when they are present
-- Returns, for each append, how many entries the cap pushed out (those in flight not counted), or -1 for a duplicate.

local now, cap = tonumber(ARGV[1]), tonumber(ARGV[2])
local dedupe_ms, flight_ms = tonumber(ARGV[3]), tonumber(ARGV[4])
local shards = tonumber(ARGV[5])
local claim_key = 2 * shards
local user_key = claim_key + tonumber(ARGV[6])
local at = 7

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
  local line = redis.call('HGET', index, id)
  if line then
    local held = parse(line)
    if held.expires > now then return 0 end
    remove(stream, index, id, held)
    forget_if_empty(KEYS[2 * shard - 1], stream, index)
    expired[shard] = (expired[shard] or 0) + 1
    added[shard] = (added[shard] or 0) - 1
  end
  if expires <= now then
    expired[shard] = (expired[shard] or 0) + 1
    return 0
  end
  local entry = { position = next_position(shard), expires = expires, flight = flight, deliveries = 0 }
  redis.call('XADD', stream, entry.position, 'i', id, 'p', priority, 'j', json)
  redis.call('HSET', index, id, format(entry))
  redis.call('ZADD', KEYS[2 * shard - 1], 'LT', expires, stream)
  added[shard] = (added[shard] or 0) + 1
  return trim(shard, stream, index, id)
end

local outcomes = {}
while ARGV[at] do
  local id, priority, expires, json = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3]
  local claims, users = ARGV[at + 4] == '1', tonumber(ARGV[at + 5])
  at = at + 6
  local dropped = 0
  if claims and not is_first_claim() then
    dropped = -1
  else
    for n = 0, users - 1 do
      local place = tonumber(ARGV[at + n])
      local flight = place % 2 == 1 and now + flight_ms or 0
      local key = user_key + 2 * n
      dropped = dropped + store(math.floor(place / 2), KEYS[key + 1], KEYS[key + 2], id, priority, expires, json, flight)
    end
  end
  at = at + users
  user_key = user_key + 2 * users
  outcomes[#outcomes + 1] = dropped
end

for shard = 1, shards do
  count(shard, 'messages', added[shard])
  count(shard, 'expired', expired[shard])
  if last[shard] then redis.call('HSET', KEYS[2 * shard], 'position', string.format('%.0f', last[shard])) end
end
return outcomes
