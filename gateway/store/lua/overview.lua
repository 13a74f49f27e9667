-- Counts what an account holds right now; writes nothing.
-- include: rates, shown
-- ARGV  1 limits, or "": no windows are asked for
-- Reply {counts (name, number, …), lanes due, in flight, scheduled, receipts, overdue (ms the longest-waiting lane is
--       past its turn), holds, slowed, unmatched, breaker (closed | open | half_open), number logged in or "",
--       callbacks waiting, age of the oldest (ms), targets parked, backlog, windows of the account, observed (0 or 1),
--       flow, time (ms)}
--       hold: {name, since (ms), until (ms), reason, by an operator (0 or 1)}, 64 at most, the account's among them
--       slowed: {name, since (ms), until (ms), reason, factor}, 64 at most, the account's among them
--       unmatched: {fingerprint, count, since (ms), last (ms), retcode or "", last job}
--       backlog: {target, jobs in its lane, ms its first one waits or -1, state of that, reason or "", eta (ms) or ""};
--         the fullest lanes, those whose turn comes first and those on hold, 20 of each at most
--       window: {count, period (ms), sends counted, when one more fits (ms)}
--       flow: of each of the last 60 minutes and this one, latest first, {what, times, …}

local MOST, TOP = 64, 20
local SAMPLE = 1024 -- entries of a hash that are looked at: of those that are over, up to a day's are remembered
local MINUTES = 60

-- Some entries of a hash with one entry for a target each: there may be one for every target. Returns them, and how many
-- there are.
local function some(key)
  local number = redis.call('HLEN', key)
  if number <= SAMPLE then return redis.call('HGETALL', key), number end
  return redis.call('HSCAN', key, 0, 'COUNT', SAMPLE)[2], number
end

local function holds_now()
  local found, packed, number = {}, some(HOLDS)
  local parked, looked = 0, 0
  local function look(name, held)
    -- A pause lasts until the account is on trial; a target's hold that ran out only says how long the next one lasts.
    if not (name == 'account' and not held.trial or held['until'] > now) then return end
    if #found < MOST then
      found[#found + 1] = {name, whole(held.since), whole(held['until']), held.reason, held.operator and 1 or 0}
    end
    if name ~= 'account' then parked = parked + 1 end
  end
  local paused = hold_of('account')
  if paused then look('account', paused) end
  for i = 1, #packed, 2 do
    if packed[i] ~= 'account' then
      looked = looked + 1
      look(packed[i], cmsgpack.unpack(packed[i + 1]))
    end
  end
  -- Of many holds, as many are taken to last as among those that were looked at.
  local others = number - (paused and 1 or 0)
  return found, looked == 0 and 0 or floor(parked * others / looked + 0.5)
end

local function slowed_now()
  local found, packed = {}, some(SLOWED)
  local function look(name, entry)
    entry = cmsgpack.unpack(entry)
    found[#found + 1] = {name, whole(entry.since), whole(entry['until']), entry.reason, whole(entry.factor)}
  end
  -- The account's is a reason of /status: it is never among those left out.
  local account = redis.call('HGET', SLOWED, 'account')
  if account then look('account', account) end
  for i = 1, #packed, 2 do
    if #found >= MOST then break end
    if packed[i] ~= 'account' then look(packed[i], packed[i + 1]) end
  end
  return found
end

local function unmatched_now()
  local found, answers = {}, redis.call('HGETALL', UNMATCHED)
  for i = 1, #answers, 2 do
    local entry = cmsgpack.unpack(answers[i + 1])
    local retcode = entry.retcode and whole(entry.retcode) or ''
    found[#found + 1] = {answers[i], entry.count, whole(entry.since), whole(entry.last), retcode, entry.job}
  end
  return found
end

-- Backlog -----------------------------------------------------------------------------------------------------------

local LARGEST = 65536 -- bytes of a record that is read for a look; one with media in it may have many more

-- What a lane of TARGET waits for as far as that can be told without the record of its first job.
local function shown_of_lane(target)
  return noted_down(FLIGHTS, target) and {state = 'sending'} or on_hold(target) or {state = 'queued'}
end

-- What the first job of the lane of TARGET waits for; nil when the lane is empty.
local function waiting_at(target)
  local id = first_of(target)
  if not id then return nil end
  local depth = redis.call('ZCARD', LANE .. target)
  local job = redis.call('STRLEN', JOB .. id) <= LARGEST and load(id)
  local told = job and (shown(job) or {}) or shown_of_lane(target)
  local waits = job and math.max(0, now - math.max(job.created, first_go_of(job))) or -1
  return {target, depth, waits, told.state or job.state, told.reason or '', told.eta and whole(told.eta) or ''}
end

local function backlog_now(holds)
  local found, known = {}, {}
  local function look(target)
    if known[target] then return end
    known[target] = true
    found[#found + 1] = waiting_at(target)
  end
  for _, target in ipairs(redis.call('ZREVRANGE', BACKLOG, 0, TOP - 1)) do look(target) end
  for _, target in ipairs(redis.call('ZRANGE', DUE, 0, TOP - 1)) do look(target) end
  for i = 1, math.min(#holds, TOP + 1) do
    if holds[i][1] ~= 'account' then look(holds[i][1]) end
  end
  return found
end

-- The whole ---------------------------------------------------------------------------------------------------------

local function flow_now()
  local minutes = {}
  for ago = 0, MINUTES do minutes[#minutes + 1] = redis.call('HGETALL', flow_of(ago)) end
  return minutes
end

local function breaker_now()
  local paused = hold_of('account')
  local by_operator = paused and paused.operator and paused['until'] > now
  return (not paused or by_operator) and 'closed' or paused.trial and 'half_open' or 'open'
end

local windows, observed = {}, 0
if ARGV[1] ~= '' then
  read_limits(ARGV[1])
  read_slowed()
  windows, observed = windows_of('account', limits.account, redis.call('HLEN', FLIGHTS)), limits.observe.account and 1 or 0
end

local first = tonumber(redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES')[2])
local oldest = redis.call('ZRANGE', CALLBACKS, 0, 0, 'WITHSCORES')[2]
local holds, parked = holds_now()
return {
  redis.call('HGETALL', COUNTS), redis.call('ZCARD', DUE), redis.call('HLEN', FLIGHTS),
  redis.call('ZCARD', SCHEDULED), redis.call('XLEN', RECEIPTS), first and math.max(0, now - first) or 0, holds,
  slowed_now(), unmatched_now(), breaker_now(), redis.call('GET', LOGIN) or '',
  redis.call('ZCARD', CALLBACKS), oldest and math.max(0, now - oldest) or 0, parked,
  backlog_now(holds), windows, observed, flow_now(), whole(now),
}
