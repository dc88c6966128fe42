-- Removes entries for good.
--
-- KEYS  the shards' keys; then stream and index of each entry
-- ARGV  number of shards; then for each entry: number of its shard, notification id
-- Returns how many were there.

local shards = tonumber(ARGV[1])
local removed, by_shard = 0, {}
for n = 0, (#ARGV - 1) / 2 - 1 do
  local shard, id = tonumber(ARGV[2 * n + 2]), ARGV[2 * n + 3]
  local stream, index = KEYS[2 * (shards + n) + 1], KEYS[2 * (shards + n) + 2]
  local line = redis.call('HGET', index, id)
  if line then
    remove(stream, index, id, parse(line))
    forget_if_empty(KEYS[2 * shard - 1], stream, index)
    removed = removed + 1
    by_shard[shard] = (by_shard[shard] or 0) - 1
  end
end
for shard = 1, shards do count(shard, 'messages', by_shard[shard]) end
return removed
