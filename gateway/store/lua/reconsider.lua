-- Gives lanes a turn that wait for a later one, and calls back who steps aside for a requester's rate, where other limits
-- count than when that was last done; about a thousand in one call. Safe to repeat.
-- include: rates
-- ARGV  1 limits  2 where the call before stopped, "" for the first
-- Reply where this one stopped, "" at the end: to be called again with that

local AT_ONCE = 1000
local what, cursor = string.match(ARGV[2], '^(%a+) (%d+)$')
if not what then
  local known = redis.call('HMGET', LIMITS, 'now', 'unconsidered')
  if known[1] == ARGV[1] and not known[2] then return '' end
  what, cursor = 'due', '0'
end
remember_limits(ARGV[1])

local key = what == 'due' and DUE or SCHEDULED
local stopped = redis.call('ZSCAN', key, cursor, 'MATCH', what == 'due' and '*' or 'aside:*', 'COUNT', AT_ONCE)
local found = stopped[2]
for i = 1, #found, 2 do
  if tonumber(found[i + 1]) > now then put(key, found[i], now) end
end

cursor = stopped[1]
if cursor ~= '0' then return written(what .. ' ' .. cursor) end
if what == 'due' then return written('scheduled 0') end
redis.call('HDEL', LIMITS, 'unconsidered')
return written('')
