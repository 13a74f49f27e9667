-- The lanes: who is in one, in which order, and when it may go; and what joins it later.
-- include: records, holds

-- A lane's places: 0 is the job whose turn it is, then by priority, then by admission.
local CLASS = 2 ^ 45
local PLACE = {high = CLASS, normal = 2 * CLASS, low = 3 * CLASS}

local function power_of_two(number) return math.frexp(number) == 0.5 end

-- How many jobs the lane of TARGET holds; asked after it has grown (or else shrunk). A target in whose lane something
-- waits behind another is known by that number, rounded down to a power of two: it changes seldom, and then is written.
local function measure(target, grown)
  local depth = redis.call('ZCARD', LANE .. target)
  if grown and depth > 1 and power_of_two(depth) then
    put(BACKLOG, target, depth)
  elseif not grown and depth > 0 and power_of_two(depth + 1) then
    put(BACKLOG, target, depth > 1 and (depth + 1) / 2)
  end
  return depth
end

-- The lane of TARGET may go at AT, or when its hold ends; a lane without work has no turn. DEPTH: how many jobs it holds,
-- where that is known.
local function turn(target, at, depth)
  if (depth or redis.call('EXISTS', LANE .. target)) == 0 then
    put(DUE, target, false)
    if any(STREAKS) then redis.call('HDEL', STREAKS, target) end
    return
  end
  local held = hold_of(target)
  if held and held['until'] > at then at = held['until'] end
  put(DUE, target, at)
end

local function place(job) return PLACE[job.priority or 'normal'] + job.seq end

-- NUMBER (1 or -1) more jobs wait that are as JOB is: in all, and of those that go before others, or behind them.
local function count_waiting(job, number)
  count(COUNTS, 'queued', number)
  if job.priority and job.priority ~= 'normal' then count(COUNTS, 'ranked', number) end
end

-- JOB takes its place in its lane, or the one it inherits; a lane that waits for something goes on waiting for it.
local function join(job, inherited)
  redis.call('ZADD', LANE .. job.target, inherited or place(job), job.id)
  -- A lane in which something waits has a turn already, or is being sent from.
  local depth = measure(job.target, true)
  if depth == 1 then turn(job.target, now, depth) end
end

-- JOB, which has been sent from, is the next one of its lane whatever else is in it.
local function go_on(job) redis.call('ZADD', LANE .. job.target, 0, job.id) end

-- The job that is being sent in the lane of TARGET, or would be next but for the priorities.
local function first_of(target)
  local call = call_of(target)
  return call and call[1] or redis.call('ZRANGE', LANE .. target, 0, 0)[1]
end

-- A new JOB gets its record, and its place among all jobs; nil, when it has them already.
local function enter(job)
  if not redis.call('SET', JOB .. job.id, packed_of(job), 'NX') then return nil end
  redis.call('XADD', INDEX, '*', 'job', job.id)
  tally('admitted')
  count_waiting(job, 1)
  return job
end

-- The schedule ------------------------------------------------------------------------------------------------------

-- Jobs due at the same instant rejoin in the order of their admission.
local function scheduled_as(job) return format('%016.0f:%s', job.seq, job.id) end

-- Jobs of one lane that wait for their requester's rate stand aside together, and come back one at a time.
local function aside_of(job) return job.target .. ':' .. job.requester end

-- Let the next of those who stand aside with JOB come back AT, if there is one.
local function call_back(job, at)
  if job.requester and redis.call('EXISTS', ASIDE .. aside_of(job)) == 1 then
    redis.call('ZADD', SCHEDULED, 'NX', at, 'aside:' .. aside_of(job))
  end
end
