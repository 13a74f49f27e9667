-- Why a target, or the whole account, waits on purpose, and until when.
-- include: writes

-- A pause of the account that has run out is half open: a replica asks NapCat (`probing`: until when it has time for
-- that), and when all is well, few calls at once are tried (`trial`: how many, `tried`: since when), more with every
-- answer.

local NOTED = {} -- what this script held, slowed or let go by itself: {what, name, reason, until}

local function note(what, name, reason, ends) NOTED[#NOTED + 1] = {what, name, reason, whole(ends or 0)} end

local function hold_of(name)
  local packed = any(HOLDS) and redis.call('HGET', HOLDS, name)
  return packed and cmsgpack.unpack(packed)
end

local function keep_hold(name, held)
  is_there[HOLDS] = true
  return redis.call('HSET', HOLDS, name, cmsgpack.pack(held))
end

-- A target that is muted is asked about: how long, and whether its mute was lifted unheard. It stands among the jobs of
-- LOOKS, with this before its name.
local MUTED, ASK_AGAIN = 'muted:', 600000

local function ask_about_mute(target, at) redis.call('ZADD', LOOKS, at, MUTED .. target) end

-- A hold that ran out is remembered for the next one of its target, which may never come.
local hold
do

local MANY_HOLDS = 256

local function forget_old_holds()
  local packed = redis.call('HGETALL', HOLDS)
  for i = 1, #packed, 2 do
    if packed[i] ~= 'account' and cmsgpack.unpack(packed[i + 1])['until'] + 86400000 < now then
      redis.call('HDEL', HOLDS, packed[i])
    end
  end
end

-- Hold NAME (a target, or "account") for MS because an answer said so, for REASON. A hold that ran out and is needed
-- again, because the first call after it failed too, lasts twice as long, up to 30 s or its own length; calls that fail
-- together are one failure. Of two reasons at once the one that holds for longer counts: what lets go the other must not
-- let go this one. What an operator holds, an answer neither shortens nor explains.
function hold(name, ms, reason)
  local old = hold_of(name)
  if old and old.operator then
    if old['until'] > now then return old['until'] end
    old = old.under and old.under['until'] > now and old.under or nil
  end
  local times = old and (old['until'] <= now and old.times + 1 or old.times) or 0
  local length = math.max(ms, math.min(ms * 2 ^ math.min(times, 16), 30000))
  local ends = now + length
  if old and old['until'] > ends then ends, reason = old['until'], old.reason end
  keep_hold(name, {since = old and old.since or now, ['until'] = ends, reason = reason, times = times})
  if not old and redis.call('HLEN', HOLDS) % MANY_HOLDS == 0 then forget_old_holds() end
  -- A pause that is repeated is one pause; a target that is held again has been let go in between.
  local again = old and (old['until'] > now or name == 'account')
  if not again or old.reason ~= reason then note('held', name, reason, ends) end
  return ends
end

end

-- Until when the account is paused, as far as is known; nil when it is not.
local function paused_until()
  local paused = hold_of('account')
  if not paused then return nil end
  if paused['until'] > now then return paused['until'] end
  if not paused.trial then return math.max(paused.probing or 0, now) end
end

-- An operator's hold HELD of NAME has run out: what it lay upon goes on, if it still holds; else a target is free, and an
-- account is half open. Returns the hold there is now.
local function outlast(name, held)
  local under = held.under
  if under and under['until'] > now then
    keep_hold(name, under)
    return under
  end
  if name ~= 'account' then
    redis.call('HDEL', HOLDS, name)
    return nil
  end
  local open = {since = held.since, ['until'] = held['until'], reason = held.reason, times = 0}
  keep_hold(name, open)
  return open
end
