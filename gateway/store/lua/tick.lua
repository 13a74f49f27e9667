-- Settles finished attempts, reaps lapsed leases and claims due lanes of one account; safe to repeat.
-- include: tick/settle, tick/looks, tick/claim, tick/room
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

-- A replica of Redis that took over, and a master that was started again, have another name for their data than before,
-- and may not know the last of it; their clock may be another one, too.
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
    -- Written, so that it can be waited for until the replicas of Redis have what it says.
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
