-- What is known of an attempt's fate, whoever tells it, and what that means for its job and lane.
-- include: ends
-- A script in which a doubt may arise reads this from its ARGV.
local SETTLE_FOR

-- Remember that MESSAGE_ID is accounted for by JOB: an event that reports it later is no evidence of another attempt.
local function remember_answered(job, message_id)
  note_down(messages_of(0), whole(message_id), job.target .. ' ' .. job.id)
  lasting[messages_of(0)] = 2 * DAY
end

local LATEST = 3600000 -- NapCat reports a message up to 30 minutes late (#210); an hour later it is another one

-- Show VISIT the jobs of TARGET that have, or had, an attempt nobody knows the fate of, as long as evidence of it may come.
local function each_unsettled(target, visit)
  for _, id in ipairs(redis.call('SMEMBERS', UNSETTLED .. target)) do
    local job = load(id)
    local attempt = job and job.attempts[#job.attempts]
    if not attempt or job.ended and attempt.began + 2 * LATEST < now then
      redis.call('SREM', UNSETTLED .. target, id)
    else
      visit(job)
    end
  end
end

-- Since when a message can be one of JOB's current part: since it was first tried.
local function tried_since(job)
  for _, attempt in ipairs(job.attempts) do
    if attempt.part == job.done then return attempt.began end
  end
end

-- JOB arrived after all: a replay of it that has not begun would be the same message once more.
local function call_off_replay(job)
  local replay = job.replayed and load(job.replayed)
  if replay and unsent(replay) then withdraw(replay, 'corrected') end
end

-- JOB is known about again, and goes on: how long it was not is told at its end.
local function settled(job)
  if not job.unknown_at then return end
  job.unknown_ms, job.unknown_at = (job.unknown_ms or 0) + now - job.unknown_at, nil
end

-- JOB is known about, has not ended, and may go on AT.
local function resume(job, at)
  settled(job)
  save(job)
  go_on(job)
  turn(job.target, at)
end

-- No evidence of JOB is awaited any more.
local function look_no_more(job)
  if not job.unsettled then return end
  job.unsettled = nil
  redis.call('SREM', UNSETTLED .. job.target, job.id)
  redis.call('ZREM', LOOKS, job.id)
end

-- The current part of JOB was delivered, as MESSAGE_ID where that is known, which EVIDENCE says. An unconfirmed job is
-- corrected, once all of it is known to have arrived.
local function delivered(job, message_id, evidence)
  local ended = job.state == 'unconfirmed'
  look_no_more(job)
  if message_id then
    remember_answered(job, message_id)
    job.message_ids[#job.message_ids + 1] = message_id
  end
  job.done, job.evidence, job.retries = job.done + 1, evidence, 0
  job.row, job.looked, job.granted = nil, nil, nil
  local complete = job.done == job.total
  if complete and ended then
    job.corrected = true
    count(COUNTS, 'unconfirmed', -1)
    count_waiting(job, 1)
  end
  if complete then
    local left = finish(job, 'delivered', nil)
    if ended then call_off_replay(job) else turn(job.target, now, left) end
  elseif ended then
    job.updated = now -- more of it is known to have arrived; its state is what it was
    rewrite(job)
  else
    job.state, job.code = 'sending', nil
    resume(job, now)
  end
end

-- The history is asked twice: so many ms after the doubt, before others push the message out of it, and so many before
-- settling is given up; less when settling is short.
local function first_look() return math.min(1000, SETTLE_FOR / 4) end
local function last_look() return math.min(3000, SETTLE_FOR / 4) end

-- Nobody knows whether the last attempt of JOB was sent: its lane waits for evidence, which may be here already.
local function doubt(job, code)
  local attempt = job.attempts[#job.attempts]
  if attempt.seen then return delivered(job, attempt.seen, 'event') end
  job.state, job.code, job.doubted, job.unknown_at, job.unsettled = 'unknown', code, true, now, true
  job.settle_by, job.looked, job.granted = now + SETTLE_FOR, nil, nil
  redis.call('ZADD', LOOKS, floor(now + first_look()), job.id)
  save(job)
  go_on(job)
  publish(job)
  redis.call('SADD', UNSETTLED .. job.target, job.id)
  redis.call('PEXPIRE', UNSETTLED .. job.target, KEEP)
  turn(job.target, job.settle_by)
end
