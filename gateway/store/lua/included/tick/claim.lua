-- Claiming: which lanes are due, which of their jobs may go, and what a claim writes.
-- include: tick/state, tick/media, tick/settle, tick/looks

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
      finish(job, 'expired', job.lapse)
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
