-- What settling shares: closing an attempt, and what its settlement means for job and lane.
-- include: account
-- Each script that includes this reads the three from its ARGV.
local KEEP, LENGTH, SETTLE_FOR

local function each_scope(job, visit)
  visit(RATE .. 'account')
  visit(RATE .. job.target)
  if job.requester then visit(RATE .. 'requester:' .. job.requester) end
end

-- A send counts in its windows from now on: the receiver had it at the latest now. One ms more, since now is cut.
local function stamp(job, token)
  each_scope(job, function(key) redis.call('ZADD', key, 'XX', now + 1, whole(token)) end)
end

-- A send that surely never left counts in no window.
local function unstamp(job, token)
  each_scope(job, function(key) redis.call('ZREM', key, whole(token)) end)
end

local ANSWERED_FOR = 600000 -- an event of an answered message is rarely this late (ms)

-- Remember that MESSAGE_ID is accounted for: an event that reports it later is no evidence of another attempt.
local function remember_answered(target, message_id)
  local key = ANSWERED .. target
  redis.call('ZADD', key, now, whole(message_id))
  redis.call('PEXPIRE', key, ANSWERED_FOR)
  if message_id % 16 == 0 then redis.call('ZREMRANGEBYSCORE', key, '-inf', now - ANSWERED_FOR) end
end

-- The current part of JOB was delivered, as MESSAGE_ID where that is known, which EVIDENCE says. An unconfirmed job is
-- corrected, once all of it is known to have arrived.
local function delivered(job, message_id, evidence)
  local ended = job.state == 'unconfirmed'
  redis.call('SREM', UNSETTLED .. job.target, job.id)
  if message_id then
    remember_answered(job.target, message_id)
    job.message_ids[#job.message_ids + 1] = message_id
  end
  job.done, job.evidence, job.retries = job.done + 1, evidence, 0
  local complete = job.done == job.total
  if complete and ended then
    job.corrected = true
    redis.call('HINCRBY', COUNTS, 'unconfirmed', -1)
    redis.call('HINCRBY', COUNTS, 'queued', 1)
  end
  if complete then
    finish(job, 'delivered', nil, KEEP, LENGTH)
  elseif ended then
    save(job) -- more of it is known to have arrived; its state is what it was
    redis.call('PEXPIRE', JOB .. job.id, KEEP)
  else
    job.state, job.code = 'sending', nil
    save(job)
  end
  if not ended then turn(job.target, now) end
end

-- Nobody knows whether the last attempt of JOB was sent: its lane waits for evidence, which may be here already.
local function doubt(job, code)
  local attempt = job.attempts[#job.attempts]
  if attempt.seen then return delivered(job, attempt.seen, 'event') end
  job.state, job.code, job.doubted = 'unknown', code, true
  job.settle_by = now + SETTLE_FOR
  save(job)
  publish(job, LENGTH)
  redis.call('SADD', UNSETTLED .. job.target, job.id)
  redis.call('PEXPIRE', UNSETTLED .. job.target, KEEP)
  turn(job.target, job.settle_by)
end
