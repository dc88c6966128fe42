-- Reads the first entries of streams that have not expired.
--
-- KEYS  stream and index, for each
-- ARGV  now, limit per stream, the position behind which to read ('' = from the start)
-- Returns, for each stream, a flat list: position, id, priority, expiresAt, JSON, deliveries of each entry.

local now, limit, after = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local PAGE = 500

local function read(stream, index)
  local found, seen = {}, 0
  local from = after == '' and '-' or '(' .. after
  while seen < limit do
    local page = math.min(limit - seen, PAGE)
    local rows = redis.call('XRANGE', stream, from, '+', 'COUNT', page)
    if #rows == 0 then break end
    local ids = {}
    for n, row in ipairs(rows) do ids[n] = row[2][2] end
    local lines = redis.call('HMGET', index, unpack(ids))
    for n, row in ipairs(rows) do
      local entry = lines[n] and parse(lines[n])
      if entry and entry.expires > now then
        seen = seen + 1
        for _, value in ipairs({ row[1], ids[n], row[2][4], entry.expires, row[2][6], entry.deliveries }) do
          found[#found + 1] = value
        end
      end
    end
    if #rows < page then break end
    from = '(' .. rows[#rows][1]
  end
  return found
end

local streams = {}
for n = 1, #KEYS, 2 do streams[#streams + 1] = read(KEYS[n], KEYS[n + 1]) end
return streams
