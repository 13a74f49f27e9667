-- Settles finished attempts, reaps lapsed leases and claims due lanes of one account; safe to repeat.
-- include: account, attempts, rates
-- ARGV  1 replica  2 sequence number of this tick  3 most claims  4 most calls in flight  5 lease beyond the call's own
--       time (ms)  6 settle for (ms)  7 keep (ms)  8 receipts stream length  9 on unknown  10 most retries
--       11 limits
--       12 settlements, packed: a list of {job, token, settlement, verdict (where it is called otherwise than the
--         settlement), rule, wait (ms), free (it costs no retry), effects {effect, hold, after, widespread:
--         {targets, within, effect, hold, reason}} (times in ms), message_id, http, retcode, result, text, took (ms),
--         unmatched (fingerprint of words no rule knows)} each; what is not known is not there
--       13 'replicated': look whether the master is another one; or ''
--       last: 'bodies' or ''
-- Steps settle → reap → schedule → claim, in this order: what is settled here can be claimed here.
-- Reply {ms to the next turn (-1: nothing to wait for), has the account work (0 or 1), claims, ended, noted, looks, probe
--       (1: ask NapCat whether the account works)}
--       claim: {job, target, token, n, part number, retries, rule of the attempts before this one that cost nothing ("":
--         none), how many in a row, ms from admission, or from when it was due, to this claim (-1: it is not the first),
--         metadata (where it says of a trace), the part, packed in a list of its own}
--       ended: as `told` tells it; a repeat tells it again
--       noted: {held | slowed | recovered | resumed | failed_over, target or "account", reason, until (ms)}
--       look: {job, target}: ask for the history of this target; without a job: whether it is still muted

local replica, sequence = ARGV[1], ARGV[2]
local most_claims, most_flights, lease_slack = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
SETTLE_FOR, KEEP, LENGTH = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local on_unknown, most_retries = ARGV[9], tonumber(ARGV[10])
local SCAN = 256 -- of each kind looked at in one tick: bounds the time Redis is held
local budget = SCAN -- jobs that may end or step aside in this tick
local windows = {} -- that this tick writes to: the rates that count there, by scope
local longest_lease = 0 -- of what this tick claims
local flights -- calls in flight before this tick claims

-- Media -------------------------------------------------------------------------------------------------------------

-- NapCat keeps one file for equal media and may delete it under a second send (#535, #764): of the sends of one medium
-- on one account, one is in flight, and the lanes of the others are blocked.
local take_media, release_media, blocked
do

local WOKEN = 8 -- lanes that may go when a medium is free: the first takes it, unless something else holds it up
local LOOK_AGAIN = 1000 -- ms after which a blocked lane looks by itself, should it not be woken

local function media_of(job, part) return string.gmatch(job.media[part] or '', '%S+') end

function take_media(job, part, token)
  if not job.media then return end
  for digest in media_of(job, part) do
    redis.call('HSET', MEDIA, digest, whole(token))
    redis.call('ZREM', BLOCKED .. digest, job.target)
  end
end

function release_media(job, attempt)
  if not job.media then return end
  for digest in media_of(job, attempt.part + 1) do
    if redis.call('HGET', MEDIA, digest) == whole(attempt.token) then
      redis.call('HDEL', MEDIA, digest)
      local woken = redis.call('ZPOPMIN', BLOCKED .. digest, WOKEN)
      for i = 1, #woken, 2 do
        if score_of(DUE, woken[i]) then put(DUE, woken[i], woken[i + 1]) end
      end
    end
  end
end

-- Whether a medium of JOB is being sent right now; its lane, which may go since DUE_SINCE, is then blocked.
function blocked(job, due_since)
  if not job.media then return false end
  for digest in media_of(job, job.done + 1) do
    if redis.call('HEXISTS', MEDIA, digest) == 1 then
      redis.call('ZADD', BLOCKED .. digest, 'NX', due_since, job.target)
      redis.call('PEXPIRE', BLOCKED .. digest, 3600000)
      put(DUE, job.target, now + LOOK_AGAIN)
      return true
    end
  end
  return false
end

end

-- Settle ------------------------------------------------------------------------------------------------------------

-- When the first lease lapses, or may: it may have been that of a call that is over.
local lapse = tonumber(BEGUN[2] or nil)

local function lapses_at(at)
  if at == lapse then return end
  lapse = at
  keep_time('lapse', at)
end

local settle, reap_lapsed
do

local function count_send(scope, rates, token, again)
  -- One that is open in its window is closed there, though no rate counts it any more: the rate may come back.
  if again or #rates == 0 and string.find(scope, 'requester:', 1, true) then
    redis.call('ZADD', RATE .. scope, 'XX', now + 1, whole(token))
  elseif #rates > 0 then
    put(RATE .. scope, whole(token), now + 1)
    windows[scope] = rates
  end
end

-- A send counts in its windows from now on: the receiver had it at the latest now. One ms more, since now is cut. One
-- that was counted when its lease lapsed counts AGAIN only where later ones have not taken its place.
local function stamp(job, token, again)
  count_send('account', limits.account, token, again)
  count_send(job.target, (rates_now(job.target)), token, again)
  if job.requester then count_send('requester:' .. job.requester, limits.requester, token, again) end
end

-- The call in the lane of TARGET is over.
local function land(target) note_down(FLIGHTS, target, false) end

-- A send that surely never left counts in no window.
local function unstamp(job, token)
  local name = whole(token)
  put(RATE .. 'account', name, false)
  put(RATE .. job.target, name, false)
  if job.requester then put(RATE .. 'requester:' .. job.requester, name, false) end
end

-- Write down what is known of the last attempt. Of a row of attempts that cost nothing and ended alike, only the last
-- is kept, so that a night without NapCat does not grow the record.
local function complete(job, attempt, item)
  attempt.verdict, attempt.rule, attempt.took = item.verdict or item.settlement, item.rule, item.took
  attempt.http, attempt.retcode, attempt.result, attempt.text = item.http, item.retcode, item.result, item.text
  attempt.free = item.free and true
  local before = job.attempts[#job.attempts - 1]
  if attempt.free and before and before.free and before.rule == attempt.rule and before.part == attempt.part then
    attempt.times, attempt.since = (before.times or 1) + 1, before.since or before.began
    table.remove(job.attempts, #job.attempts - 1)
  end
end

-- Whether the current part of JOB may have been sent, as far as its attempts tell, BESIDES this one.
local function doubtful(job, besides)
  for _, attempt in ipairs(job.attempts) do
    if attempt.verdict == 'unknown' and attempt.part == job.done and attempt ~= besides then return true end
  end
  return nil
end

-- Effects -----------------------------------------------------------------------------------------------------------

local apply_effect
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

local NONE = {}

function apply_effect(job, attempt, item)
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
end

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

function settle(item)
  local job = load(item.job)
  local attempt = job and job.attempts[#job.attempts]
  if not attempt or attempt.token ~= item.token then return end
  local reaped = attempt.verdict ~= nil
  if reaped then
    -- Its lease lapsed before its answer came, which can still tell its fate; but only a delivery changes what has
    -- been decided since.
    if attempt.rule ~= 'lease_lapsed' then return end
    if item.settlement ~= 'unstarted' then stamp(job, item.token, true) end
    if attempt.part < job.done then return end -- an event has told of this part already
    local open = job.state == 'unknown' or item.settlement == 'delivered' and
      (job.state == 'unconfirmed' or job.state == 'queued')
    if not open or item.settlement == 'unknown' then return end
    -- What the history lists may be an earlier attempt, of which this answer says nothing.
    if job.row and item.settlement ~= 'delivered' and doubtful(job, attempt) then return end
    redis.call('SREM', UNSETTLED .. job.target, job.id)
  else
    land(job.target)
    release_media(job, attempt)
  end
  if item.settlement == 'unstarted' then
    unstamp(job, item.token)
    table.remove(job.attempts)
    job.doubted = doubtful(job)
    job.state = job.done > 0 and 'sending' or 'queued'
    return resume(job, now)
  end
  stamp(job, item.token, reaped)
  if not reaped then tally('verdict:' .. (item.verdict or item.settlement)) end
  complete(job, attempt, item)
  apply_effect(job, attempt, item)
  if item.unmatched then count_unmatched(item) end
  if item.settlement == 'delivered' then
    delivered(job, item.message_id, 'response')
  elseif attempt.seen and item.settlement ~= 'unknown' then
    -- NapCat reported the message as sent; what stands between us answered otherwise.
    delivered(job, attempt.seen, 'event')
  elseif item.settlement == 'retry' then
    job.state, job.code, job.retries = 'queued', item.rule, job.retries + (item.free and 0 or 1)
    job.doubted, job.again = doubtful(job), now + (item.wait or 0)
    resume(job, job.again)
  elseif item.settlement == 'unknown' then
    doubt(job, item.rule)
  else
    turn(job.target, now, finish(job, item.settlement, item.rule, KEEP, LENGTH))
  end
end

-- Reap --------------------------------------------------------------------------------------------------------------

-- The replica that held this lane did not answer in time: its request may have been sent.
local function reap(target)
  local call = call_of(target)
  local job = call and load(call[1])
  land(target)
  local attempt = job and job.attempts[#job.attempts]
  if not attempt or attempt.verdict then return turn(target, now) end
  stamp(job, attempt.token)
  release_media(job, attempt)
  attempt.verdict, attempt.rule = 'unknown', 'lease_lapsed'
  tally('verdict:unknown')
  doubt(job, 'lease_lapsed')
end

function reap_lapsed()
  if not lapse or lapse > now then return end
  write_fields(FLIGHTS)
  local calls, lapsed, first = redis.call('HGETALL', FLIGHTS), {}, nil
  for i = 1, #calls, 2 do
    local ends = cmsgpack.unpack(calls[i + 1])[6]
    if ends <= now and #lapsed < SCAN then
      lapsed[#lapsed + 1] = {ends, calls[i]}
    else
      first = math.min(first or ends, ends)
    end
  end
  table.sort(lapsed, function(one, other)
    return one[1] < other[1] or one[1] == other[1] and one[2] < other[2]
  end)
  for _, call in ipairs(lapsed) do reap(call[2]) end
  lapses_at(first)
end

end

-- Schedule ----------------------------------------------------------------------------------------------------------

local function rejoin(member)
  redis.call('ZREM', SCHEDULED, member)
  local aside = string.match(member, '^aside:(.*)$')
  local id = aside and redis.call('ZPOPMIN', ASIDE .. aside)[1] or string.match(member, '^%d+:(.*)$')
  local job = id and record(id)
  if not job then return end
  if aside then
    job.called_back = true
    save(job)
  else
    tally('due')
  end
  join(job)
end

-- Claim -------------------------------------------------------------------------------------------------------------

-- An unknown job whose time for settling is over: sent again only where its producer chose that and the history does not
-- speak against it. When no look at the history was answered, say because NapCat was away, there is time for one more.
local function give_up_settling(job)
  redis.call('ZREM', LOOKS, job.id)
  if not job.row and not job.looked and not job.granted and SETTLE_FOR > 0 then
    job.granted, job.settle_by = true, floor(now + last_look(SETTLE_FOR))
    redis.call('ZADD', LOOKS, now, job.id)
    return save(job)
  end
  if job.row then job.evidence = 'history' end
  local resend = (job.on_unknown or on_unknown) == 'resend' and job.retries < most_retries and not job.row
  if not resend then return finish(job, 'unconfirmed', job.code, KEEP, LENGTH) end
  job.state, job.retries = 'queued', job.retries + 1
  settled(job)
  save(job)
end

local due_looks
do

local function still_muted(name)
  local held = hold_of(name)
  if held and held.operator then held = held.under end
  return held and held.reason == 'muted' and held['until'] > now
end

-- What unknown jobs wait for: a look at the history, soon and once more late; then the end of settling, which neither a
-- paused account nor a parked target delays. Returns the looks that are due: {job, target} each.
function due_looks()
  local looks = {}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', LOOKS, '-inf', now, 'LIMIT', 0, 16)) do
    local target = id:sub(1, #MUTED) == MUTED and id:sub(#MUTED + 1)
    local job = not target and load(id)
    if target and still_muted(target) then
      ask_about_mute(target, now + ASK_AGAIN)
      looks[#looks + 1] = {'', target}
    elseif not job or job.state ~= 'unknown' then
      redis.call('ZREM', LOOKS, id)
    elseif job.settle_by <= now then
      give_up_settling(job)
      turn(job.target, now)
    else
      local last = floor(job.settle_by - last_look(SETTLE_FOR))
      redis.call('ZADD', LOOKS, now < last and last or job.settle_by, id)
      looks[#looks + 1] = {id, job.target}
    end
  end
  return looks
end

end

local claim_due, claimed
do

local STREAK = 20 -- turns of higher priority that the lowest may wait behind

-- The job whose turn it is in the lane of TARGET: the one begun, else the highest priority; but after STREAK turns
-- that passed over lower ones, the oldest of these. Returns the job and whether it passes over a lower one (nil: it has
-- begun, which is no turn of its own).
local function head(target)
  local lane = LANE .. target
  local first = redis.call('ZRANGE', lane, 0, 0, 'WITHSCORES')
  if not first[1] then return nil end
  local class = floor(tonumber(first[2]) / CLASS)
  if class == 0 then return first[1], nil end
  if counter('ranked') == 0 then return first[1], false end
  local oldest, seq
  for lower = class + 1, 3 do
    local found = redis.call('ZRANGEBYSCORE', lane, whole(lower * CLASS), '(' .. whole((lower + 1) * CLASS),
      'WITHSCORES', 'LIMIT', 0, 1)
    local found_seq = found[1] and tonumber(found[2]) - lower * CLASS
    if found_seq and (not seq or found_seq < seq) then oldest, seq = found[1], found_seq end
  end
  if not oldest then return first[1], false end
  if tonumber(redis.call('HGET', STREAKS, target) or 0) < STREAK then return first[1], true end
  return oldest, false
end

-- JOB leaves its lane until its requester's rate opens, AT (nil: others stand aside before it, and are called first).
local function step_aside(job, at)
  redis.call('ZREM', LANE .. job.target, job.id)
  measure(job.target)
  redis.call('ZADD', ASIDE .. aside_of(job), place(job), job.id)
  if at then redis.call('ZADD', SCHEDULED, at, 'aside:' .. aside_of(job)) end
  if job.called_back then
    job.called_back = nil
    save(job)
  end
end

-- When the rate of JOB's requester opens; nil when others of this requester stand aside before it.
local function requester_opens(job)
  if not job.requester then return 0 end
  local fresh = #job.attempts == 0 and not job.called_back
  if fresh and redis.call('EXISTS', ASIDE .. aside_of(job)) == 1 then return nil end
  return limits.observe.requester and 0 or opens_at('requester:' .. job.requester, limits.requester)
end

-- The job of the lane of TARGET that may be claimed; ends those that may not any more, and puts those aside whose
-- requester has to wait, as many as the tick's budget allows. Returns the job and whether it passes over a lower
-- priority, or nil and when to look again.
local function ready(target)
  while budget > 0 do
    local id, passes = head(target)
    local job = id and record(id) -- nothing of a lane whose turn it is, is being sent
    if not id then return nil, now end
    if not job then
      redis.call('ZREM', LANE .. target, id)
      measure(target)
    elseif job.state == 'unknown' then
      if job.settle_by > now then return nil, job.settle_by end
      give_up_settling(job)
    elseif job.expires <= now and not job.doubted and job.done == 0 then
      finish(job, 'expired', job.lapse, KEEP, LENGTH)
    elseif job.again and job.again > now then
      return nil, job.again
    else
      local at = requester_opens(job)
      if at and at <= now then return job, passes end
      -- A job that has begun keeps its place, and so waits in it.
      if #job.attempts > 0 then return nil, at end
      step_aside(job, at)
    end
    budget = budget - 1
  end
  return nil, now
end

local function claim(job, passes, claims)
  local target, number = job.target, job.done + 1
  local last = job.attempts[#job.attempts]
  local token = next_of('token')
  local lease = job.times[number] + lease_slack
  longest_lease = math.max(longest_lease, lease)
  local call = {job.id, token, last and last.n + 1 or 1, number - 1, now, now + lease}
  if not lapse or call[6] < lapse then lapses_at(call[6]) end
  under_way(job, call)
  note_down(FLIGHTS, target, cmsgpack.pack(call))
  put(DUE, target, false)
  if passes then
    redis.call('HINCRBY', STREAKS, target, 1)
    is_there[STREAKS] = true
  elseif passes == false and any(STREAKS) then
    redis.call('HDEL', STREAKS, target)
  end
  take_media(job, number, token)
  -- What is in flight from the account, and from its lane, is known without their windows.
  observe('account', limits.account, limits.observe.account, flights + claims)
  observe(target, rates_now(target))
  if job.requester then
    -- A send is open in the window of its requester until its answer says when it was.
    local scope = 'requester:' .. job.requester
    observe(scope, limits.requester, limits.observe.requester)
    if #limits.requester > 0 then
      put(RATE .. scope, whole(token), '+inf')
      windows[scope] = limits.requester
    end
    call_back(job, math.max(now, opens_at(scope, limits.requester)))
  end
end

function claimed(job)
  local attempt, before = job.attempts[#job.attempts], job.attempts[#job.attempts - 1]
  local pardoned = before and before.free and before.part == attempt.part
  return {job.id, job.target, attempt.token, attempt.n, attempt.part, job.retries, pardoned and before.rule or '',
    pardoned and before.times or 1, attempt.n == 1 and attempt.began - math.max(job.created, first_go_of(job)) or -1,
    trace_of(job), job.total == 1 and said[job.id] or cmsgpack.pack({parts_of(job)[attempt.part + 1]})}
end

-- How many sends the rates of the account have room for now; nil where that has to be found out for each.
local function account_room()
  if limits.observe.account then return math.huge end
  if changed_at then return nil end
  local room, factor = math.huge, factor_of('account')
  for _, rate in ipairs(limits.account) do
    if full_since and full_since + rate[2] * factor > now then return nil end
    local since = '(' .. whole(now - rate[2] * factor)
    room = math.min(room, rate[1] - flights - redis.call('ZCOUNT', RATE .. 'account', since, '+inf'))
  end
  return room
end

-- Claim due lanes, the one that waited longest first. Returns the claimed jobs and when to look again.
function claim_due(room)
  write_places(RATE .. 'account')
  local jobs, looked, account_has = {}, 0, account_room()
  while #jobs < room and looked < SCAN and budget > 0 do
    write_places(DUE)
    local due = redis.call('ZRANGEBYSCORE', DUE, '-inf', now, 'WITHSCORES', 'LIMIT', 0, math.min(room - #jobs, 32))
    if #due == 0 then break end
    for i = 1, #due, 2 do
      local target = due[i]
      looked = looked + 1
      local account_at = (not account_has or account_has <= #jobs) and account_opens(flights + #jobs) or 0
      if account_at > now then
        keep_time('opens', account_at)
        return jobs, account_at
      end
      local held = hold_of(target)
      if held and held.operator and held['until'] <= now then held = outlast(target, held) end
      local at = math.max(held and held['until'] or 0, target_opens(target))
      if at > now then
        put(DUE, target, at)
      else
        local job, passes = ready(target)
        if job and blocked(job, due[i + 1]) then
          -- Its lane has another turn when the medium is free.
        elseif job then
          claim(job, passes, #jobs)
          jobs[#jobs + 1] = job
        else
          turn(target, passes)
        end
      end
    end
  end
  return jobs, nil
end

end

local room_now
do

local PROBE = 15000 -- ms a replica has to find out whether the account works, before another may try
local TRIAL = 10000 -- ms after which a trial is over that went well as far as it went

-- How many may be claimed; if none because of a pause, when to look again, and when the pause is to end by itself; and
-- whether this replica is to ask NapCat.
function room_now()
  local paused, probe = hold_of('account'), 0
  if paused and paused.operator and paused['until'] <= now then paused = outlast('account', paused) end
  local factor = factor_of('account')
  local most = factor > 1 and math.max(1, floor(most_flights / factor)) or most_flights
  if paused and paused['until'] > now then
    return 0, paused['until'], not paused.operator and paused['until'] or nil, probe
  end
  local tried = paused and paused.trial and paused.tried + TRIAL <= now
  if tried and (paused.trial > 1 or not paused.used) then
    redis.call('HDEL', HOLDS, 'account')
    note('resumed', 'account', paused.reason)
  elseif paused and paused.trial then
    most = math.min(most, paused.trial)
  elseif paused then
    -- A full replica has no time to ask; it looks again when a call ends.
    if (paused.probing or 0) <= now and most_claims == 0 then return 0, nil, nil, probe end
    if (paused.probing or 0) <= now then
      paused.probing, probe = now + PROBE, 1
      keep_hold('account', paused)
    end
    return 0, paused.probing, paused.probing, probe
  end
  return math.min(most_claims, most - flights), nil, nil, probe
end

end

-- A trial in which something was sent needs an answer to end.
local function use_trial()
  local paused = hold_of('account')
  if not paused or not paused.trial or paused.used then return end
  paused.used = true
  keep_hold('account', paused)
end

local function first_score(key)
  return tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
end

local function earliest(...)
  local at
  for i = 1, select('#', ...) do
    local candidate = select(i, ...)
    if candidate and (not at or candidate < at) then at = candidate end
  end
  return at
end

-- Another master ----------------------------------------------------------------------------------------------------

-- A replica that took over, and a master that was started again, have another name for their data than before, and may
-- not know the last of it; their clock may be another one, too.
local function meet_master()
  local told = redis.pcall('INFO', 'replication')
  local name = type(told) == 'string' and string.match(told, 'master_replid:(%x+)')
  if not name then return end -- a service that hides it: nobody knows
  local known = redis.call('HGET', LIMITS, 'master')
  if name == known then return end
  redis.call('HSET', LIMITS, 'master', name)
  -- Claims may have been made that this one does not know of: they were not sent, but their numbers are out. Those it
  -- gives out are larger, also where it does not know of any master before it.
  local token = counter('token')
  count(COUNTS, 'token', math.max(2 ^ 20, now * 1024 - token))
  if not known then return end
  full_since = now
  redis.call('HSET', LIMITS, 'full', whole(now))
  note('failed_over', 'account', '')
end

-- The tick ----------------------------------------------------------------------------------------------------------

local function claims_of(jobs)
  local claims = {}
  for i, job in ipairs(jobs) do claims[i] = claimed(job) end
  return claims
end

-- What the tick that this one repeats ended, as far as the records say; its reply was lost.
local function ended_before(memory)
  local ended = {}
  for id in string.gmatch(memory, ' !(%S+)') do
    local job = load(id)
    if job and job.ended then ended[#ended + 1] = told(job, job.callback and '1' or '') end
  end
  return ended
end

local function open_claims(memory)
  local open = {}
  for id, token in string.gmatch(memory, '(%S+)=(%d+)') do
    local job = load(id)
    local attempt = job and job.attempts[#job.attempts]
    if attempt and whole(attempt.token) == token and not attempt.verdict then open[#open + 1] = job end
  end
  return open
end

local function tick()
  write_though_full()

  local known, remembered = string.match(redis.call('GET', TICK .. replica) or '', '^(%d+)(.*)$')
  if known == sequence then
    -- Written, so that it can be waited for until the replicas have what it says.
    redis.call('PEXPIRE', TICK .. replica, 600000)
    return {0, 1, claims_of(open_claims(remembered)), ended_before(remembered), {}, {}, 0}
  end
  -- One that comes after its successor was given up by its replica long ago: nobody would take its claims.
  if known and tonumber(known) > tonumber(sequence) then return {-1, 0, {}, {}, {}, {}, 0} end

  remember_limits(ARGV[11])
  if ARGV[13] == 'replicated' then meet_master() end
  recover()
  for _, item in ipairs(cmsgpack.unpack(ARGV[12])) do settle(item) end
  reap_lapsed()
  local rejoining = redis.call('ZRANGEBYSCORE', SCHEDULED, '-inf', now, 'LIMIT', 0, SCAN)
  for _, member in ipairs(rejoining) do rejoin(member) end

  local looks = due_looks()
  write_fields(FLIGHTS)
  flights = redis.call('HLEN', FLIGHTS)
  local room, again, asked_at, probe = room_now()
  local jobs = {}
  -- Nothing is claimed before all that is due has rejoined: one of them may come first.
  if room > 0 and #rejoining < SCAN then
    jobs, again = claim_due(room)
  end
  if #jobs > 0 then use_trial() end
  local full = room <= #jobs and not again
  local claims = claims_of(jobs)

  local memory = {sequence}
  for _, item in ipairs(claims) do memory[#memory + 1] = ' ' .. item[1] .. '=' .. whole(item[3]) end
  for _, item in ipairs(ENDED) do memory[#memory + 1] = ' !' .. item[1] end
  redis.call('SET', TICK .. replica, table.concat(memory), 'PX', 600000)

  write_places(DUE)
  if flights + #jobs == 0 then lapses_at(nil) end
  for scope, rates in pairs(windows) do
    write_places(RATE .. scope)
    keep_window(scope, rates, longest_lease)
  end

  -- A full account looks again when a call ends, which is a tick of its own.
  local due = first_score(DUE)
  local next_due = due and not full and (again and math.max(again, due) or due) or nil
  local scheduled = first_score(SCHEDULED)
  local look = first_score(LOOKS)
  local at = earliest(next_due, lapse, scheduled, look, asked_at)
  return {
    at and math.max(0, at - now) or -1, (due or lapse or scheduled) and 1 or 0, claims, ENDED, NOTED, looks, probe,
  }
end

return written(tick())
