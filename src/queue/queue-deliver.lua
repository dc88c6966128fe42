-- Counts one more connection that took each entry, and removes those that had enough of them.
--
-- KEYS  the shards' keys; then stream and index of each entry
-- ARGV  number of shards, deliveries at which an entry goes; then for each entry: number of its shard, notification id
-- Returns how many were removed.

local shards, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local removed, by_shard = 0, {}
for n = 0, (#ARGV - 2) / 2 - 1 do
  local shard, id = tonumber(ARGV[2 * n + 3]), ARGV[2 * n + 4]
  local stream, index = KEYS[2 * (shards + n) + 1], KEYS[2 * (shards + n) + 2]
  local line = redis.call('HGET', index, id)
  if line then
    local entry = parse(line)
    entry.deliveries = entry.deliveries + 1
    if entry.deliveries >= most then
      remove(stream, index, id, entry)
      forget_if_empty(KEYS[2 * shard - 1], stream, index)
      removed = removed + 1
      by_shard[shard] = (by_shard[shard] or 0) - 1
    else
      redis.call('HSET', index, id, format(entry))
    end
  end
end
for shard = 1, shards do count(shard, 'messages', by_shard[shard]) end
return removed
