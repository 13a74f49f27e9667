-- The ends of calls: settled by an outcome, or reaped when the lease has lapsed.
-- include: tick/state, tick/media, tick/effects

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
  apply_effects(job, attempt, item)
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
    turn(job.target, now, finish(job, item.settlement, item.rule))
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
