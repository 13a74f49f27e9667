-- Holds a target, or the whole account, or lets it go; safe to repeat.
-- include: account
-- ARGV  1 target, or "account"  2 hold | release  3 for how long (ms; 0: until it is released)  4 reason
--       5 by an operator (0 or 1): what an operator holds, an event neither changes nor lets go
-- Reply {changed (0 or 1), until (ms; 0 when it is not held now)}

local FOREVER = 4102444800000 -- the year 2100
local name, wanted, ms, reason, operator = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5] == '1'
local old = hold_of(name)
local active = old and old['until'] > now
if old and old.operator and active and not operator then return {0, whole(old['until'])} end

if wanted == 'release' then
  if not old then return {0, '0'} end
  redis.call('HDEL', HOLDS, name)
else
  redis.call('HSET', HOLDS, name, cmsgpack.pack({
    since = active and old.since or now,
    ['until'] = ms > 0 and now + ms or FOREVER,
    reason = reason,
    times = 0,
    operator = operator or nil,
  }))
end
if name ~= 'account' and not redis.call('ZSCORE', FLIGHTS, name) then turn(name, now) end
return {1, wanted == 'release' and '0' or whole(ms > 0 and now + ms or FOREVER)}
