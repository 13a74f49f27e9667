-- Holds a target, or the whole account, or lets it go; safe to repeat.
-- include: lanes
-- ARGV  1 target, or "account"  2 hold | release  3 for how long (ms)  4 until when (ms); both "": until released
--       5 reason (of a release: let go only what is held for one of these, parted by blanks; "": whatever it is)
--       6 by an operator (0 or 1): what an operator holds, an event neither changes nor lets go
-- An account that is let go is half open, as after a pause that ran out: NapCat is asked whether it works. One that an
-- operator lets go may be logged in with another number than before. What an operator's hold lies upon goes on under it.
-- Reply {changed (0 or 1), until (ms; 0 when it is not held now)}

local FOREVER = 4102444800000 -- the year 2100
local name, wanted, reason, operator = ARGV[1], ARGV[2], ARGV[5], ARGV[6] == '1'
local ends = math.min(tonumber(ARGV[4]) or tonumber(ARGV[3]) and now + tonumber(ARGV[3]) or FOREVER, FOREVER)
write_though_full()

local old = hold_of(name)
local active = old and old['until'] > now

local function meant(held)
  return reason == '' or (' ' .. reason .. ' '):find(' ' .. held.reason .. ' ', 1, true) ~= nil
end

if active and old.operator and not operator then
  if wanted == 'release' and old.under and meant(old.under) then
    old.under = nil
    keep_hold(name, old)
  end
  return {0, whole(old['until'])}
end

if wanted == 'release' then
  if operator and name == 'account' then redis.call('DEL', LOGIN) end
  if not old or not meant(old) then return {0, old and whole(old['until']) or '0'} end
  if name == 'account' and (active or operator) then
    local open = {since = old.since, ['until'] = now, reason = old.reason, times = operator and 0 or old.times}
    keep_hold(name, open)
  elseif name == 'account' then
    return {0, '0'}
  else
    redis.call('HDEL', HOLDS, name)
  end
  ends = 0
elseif not operator and name == 'account' then
  -- An event is as good as an answer: the pause is short, and grows while asking NapCat brings nothing better.
  if ends <= now then return {0, active and whole(old['until']) or '0'} end
  if active and (old.reason == reason or old['until'] >= ends) then return {0, whole(old['until'])} end
  ends = hold(name, ends - now, reason)
else
  if ends <= now then return {0, active and whole(old['until']) or '0'} end
  -- Of two reasons at once the one that holds for longer counts.
  if active and not operator and old.reason ~= reason and old['until'] >= ends then return {0, whole(old['until'])} end
  keep_hold(name, {
    since = active and old.since or now,
    ['until'] = ends,
    reason = reason,
    times = 0,
    operator = operator or nil,
    under = operator and active and (old.operator and old.under or not old.operator and old) or nil,
  })
  if reason == 'muted' and not operator then ask_about_mute(name, now + ASK_AGAIN) end
end
if name ~= 'account' and not noted_down(FLIGHTS, name) then turn(name, now) end
return written({1, whole(ends)})
