-- What an answer does beyond its own job: to its target, to the account, and to the count of answers no rule knows.
-- include: tick/state

local apply_effects
do

-- An effect that sets in only after some answers of its kind in a row, whichever target they are about.
local in_a_row

local function often_enough(after)
  if not after or after <= 1 then return true end
  in_a_row = redis.call('HINCRBY', COUNTS, 'in_a_row', 1)
  return in_a_row >= after
end

local function row_ends()
  in_a_row = in_a_row or tonumber(redis.call('HGET', COUNTS, 'in_a_row') or 0)
  if in_a_row > 0 then redis.call('HSET', COUNTS, 'in_a_row', 0) end
  in_a_row = 0
end

-- What was under way when the account was slowed says nothing about how it does since.
local function under_way_when_slowed(attempt)
  local account = slowed_of('account')
  return account and attempt.began < account.at
end

-- What EFFECT does to NAME for MS, because of REASON; an account that is slowed already is paused.
local function take_effect(effect, name, ms, reason)
  if effect == 'slow_account' and slowed_of('account') and slowed.account.reason == reason then
    slow('account', ms, reason)
    hold('account', ms, reason)
  elseif effect == 'slow_account' or effect == 'slow_target' then
    slow(effect == 'slow_account' and 'account' or name, ms, reason)
  else
    hold(effect == 'pause' and 'account' or name, ms, reason)
    if effect == 'park' and reason == 'muted' then ask_about_mute(name, now) end
  end
end

-- Whether so many targets met RULE lately that it is the account's matter; counted from nothing after that.
local function spreads(rule, target, widespread)
  local key = SPREAD .. rule
  redis.call('ZADD', key, now, target)
  redis.call('PEXPIRE', key, widespread.within)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - widespread.within)
  return redis.call('ZCARD', key) >= widespread.targets and redis.call('DEL', key) == 1
end

-- The account answered while it was on trial: more calls at once may be tried, until it is as before.
local function trial_goes_on()
  local paused = hold_of('account')
  if not paused or not paused.trial or paused['until'] > now then return end
  paused.trial = paused.trial * 2
  if paused.trial < most_flights then return keep_hold('account', paused) end
  redis.call('HDEL', HOLDS, 'account')
  note('resumed', 'account', paused.reason)
end

-- What an answer or an event held may go when an attempt was delivered that began after that; what an operator holds,
-- only an operator lets go.
local function lift(target, began)
  local held = hold_of(target)
  if not held or held.operator or held.since > began then return end
  redis.call('HDEL', HOLDS, target)
  if not noted_down(FLIGHTS, target) then turn(target, now) end
end

-- Count an answer that no rule knows, and the last job of each wording: its receipt has the words.
local MOST_UNMATCHED = 50

local function count_unmatched(item)
  local packed = redis.call('HGET', UNMATCHED, item.unmatched)
  if not packed and redis.call('HLEN', UNMATCHED) >= MOST_UNMATCHED then return end
  local known = packed and cmsgpack.unpack(packed) or {count = 0, since = now}
  known.count, known.last, known.job, known.retcode = known.count + 1, now, item.job, item.retcode
  redis.call('HSET', UNMATCHED, item.unmatched, cmsgpack.pack(known))
  redis.call('PEXPIRE', UNMATCHED, 7 * 86400000)
end

local NONE = {}

function apply_effects(job, attempt, item)
  local effects = item.effects or NONE
  local bites = effects.effect and often_enough(effects.after)
  local late = under_way_when_slowed(attempt)
  if bites and not (late and effects.effect == 'slow_account') then
    take_effect(effects.effect, job.target, effects.hold, item.rule)
  end
  local widespread = effects.widespread
  if widespread and not late and spreads(item.rule, job.target, widespread) then
    take_effect(widespread.effect, job.target, widespread.hold, widespread.reason)
  end
  local answered = item.http or item.retcode
  if answered and not (effects.after and effects.after > 1) then row_ends() end
  if answered and not (bites and effects.effect == 'pause') then trial_goes_on() end
  if item.settlement == 'delivered' and not (bites and effects.effect == 'park') then lift(job.target, attempt.began) end
  if item.unmatched then count_unmatched(item) end
end

end
