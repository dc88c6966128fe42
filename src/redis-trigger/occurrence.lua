-- Numbers one more sighting of a message by one of its listeners, so that all of them number the same message alike.
-- Each counts on from its own last number. One that has listened since before the first sighting has missed none, however
-- late it comes to tell. Any other starts with the others when they have just begun; later it hears what they hear: the
-- highest number when that is recent, else the one that follows.
--
-- KEYS  the message
-- ARGV  the listener, milliseconds that a number is recent, milliseconds without a sighting that end the count, since
--       when it has listened, in milliseconds since the epoch ('' = not known)
-- Returns the number, and when the count began, in milliseconds since the epoch.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', KEYS[1], 'since', 'highest', 'at', 'of:' .. ARGV[1])
local since, highest, at = tonumber(known[1] or now), tonumber(known[2] or 0), tonumber(known[3] or 0)

local number
local listens_since = tonumber(ARGV[4])
if known[4] then number = known[4] + 1
elseif listens_since and listens_since < since then number = 1
elseif now - since <= tonumber(ARGV[2]) then number = 1
elseif now - at <= tonumber(ARGV[2]) then number = highest
else number = highest + 1 end

local of = 'of:' .. ARGV[1]
if number > highest then
  redis.call('HSET', KEYS[1], 'since', string.format('%.0f', since), 'highest', number, 'at', string.format('%.0f', now), of, number)
else
  redis.call('HSET', KEYS[1], of, number)
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return { number, since }
