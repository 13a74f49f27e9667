-- The ends of jobs: what each changes, and what is told of it.
-- include: lanes, receipts
-- Each script that includes this reads from its ARGV how long records and keys are kept (ms), and how many receipts.
local KEEP, LENGTH

local function publish(job)
  redis.call('XADD', RECEIPTS, '*', 'receipt', receipt(job))
  longest = LENGTH
end

-- Whether nothing of JOB may have been sent: only then may it be cancelled, expire or be replaced.
local function unsent(job) return job.state == 'queued' and job.done == 0 and not job.doubted end

-- What this script ended, for who writes it down: {job, target, state, code, '1' when its callback is due, ms since
-- admission, ms from admission to the first claim (-1: never claimed), attempts, parts delivered, parts, message ids,
-- evidence, rare}
--       rare: names and values of what few jobs have: settle (ms between unknown and now), key, requester, replay_of,
--       corrected, metadata (where it says of a trace), bodies (of its parts; where they are wished for)
-- Each script that can end a job takes as its last ARGV 'bodies' where they are wished for, else ''.
local ENDED = {}
local TELL_BODIES = ARGV[#ARGV] == 'bodies'

-- The metadata of JOB, where it may say of a trace.
local function trace_of(job)
  return job.metadata and string.find(job.metadata, '"traceparent"', 1, true) and job.metadata or ''
end

local told, finish
do

local LONGEST_TOLD = 65536 -- bytes of a body; what is larger carries media

local function bodies_of(job)
  local bodies = {}
  for i, part in ipairs(parts_of(job)) do bodies[i] = #part[2] <= LONGEST_TOLD and part[2] or '' end
  return bodies
end

-- What few jobs have of what is told.
local function rare_of(job, bodies)
  local rare = {}
  local function add(name, value)
    if value and value ~= '' then rare[#rare + 1], rare[#rare + 2] = name, value end
  end
  if job.unknown_ms or job.unknown_at then
    add('settle', (job.unknown_ms or 0) + (job.unknown_at and job.ended - job.unknown_at or 0))
  end
  add('key', job.key)
  add('requester', job.requester)
  add('replay_of', job.replay_of)
  add('corrected', job.corrected and '1')
  add('metadata', trace_of(job))
  add('bodies', bodies)
  return rare
end

-- How JOB ended, as its record says; BODIES are those of its parts.
function told(job, callback, bodies)
  local first, last = job.attempts[1], job.attempts[#job.attempts]
  local rare = job.unknown_ms or job.unknown_at or job.key or job.requester or job.replay_of or job.corrected
    or job.metadata or bodies
  return {
    job.id, job.target, job.state, job.code or '', callback, job.ended - job.created,
    first and (first.since or first.began) - job.created or -1, last and last.n or 0, job.done, job.total,
    job.message_ids, job.evidence or '', rare and rare_of(job, bodies) or {},
  }
end

-- Endings -----------------------------------------------------------------------------------------------------------

-- Drop some entries of the index whose records are gone: more at a time than came in since the last time, so that it
-- never has many of them.
local SWEEP_EVERY, SWEPT = 64, 192

local function sweep_index()
  local at = redis.call('HMGET', COUNTS, 'swept_ms', 'swept_seq')
  -- What came in less than KEEP ago is there still.
  local begin = at[1] and '(' .. at[1] .. '-' .. at[2] or '-'
  local entries = redis.call('XRANGE', INDEX, begin, whole(now - KEEP), 'COUNT', SWEPT)
  for _, entry in ipairs(entries) do
    if redis.call('EXISTS', JOB .. entry[2][2]) == 0 then redis.call('XDEL', INDEX, entry[1]) end
  end
  if #entries < SWEPT then
    if at[1] then redis.call('HDEL', COUNTS, 'swept_ms', 'swept_seq') end
    return
  end
  local ms, seq = string.match(entries[SWEPT][1], '^(%d+)-(%d+)$')
  redis.call('HSET', COUNTS, 'swept_ms', ms, 'swept_seq', seq)
end

-- The callback of JOB, "<host> <url>", is due: its receipt is to be posted as it is now. Returns '1' if there is one.
local function announce(job)
  if not job.callback then return '' end
  local host = string.match(job.callback, '^%S+')
  redis.call('ZADD', CALLBACKS, now, job.id)
  redis.call('ZADD', RECEIVER .. host, now, job.id)
  redis.call('ZADD', RECEIVERS, 'LT', now, host)
  return '1'
end

-- JOB ends in STATE because of CODE: out of its lane, its record and key kept for KEEP ms. What was not delivered
-- keeps its parts, for a replay. Returns how many jobs are left in its lane, if it was there.
function finish(job, state, code)
  job.state, job.code, job.reason, job.ended = state, code, code == 'collapsed' and code or nil, now
  job.posts = nil -- a correction is told of with all tries
  local bodies = TELL_BODIES and bodies_of(job)
  if state == 'delivered' then said[job.id] = nil end
  local left = redis.call('ZREM', LANE .. job.target, job.id) == 1 and measure(job.target) or nil
  call_back(job, now)
  job.updated = nil -- when it ended
  redis.call('SET', JOB .. job.id, packed_of(job), 'PX', KEEP)
  if job.key then redis.call('PEXPIRE', KEY .. job.key, KEEP) end
  local collapse = job.collapse and COLLAPSE .. job.target .. ':' .. job.collapse
  if collapse and redis.call('GET', collapse) == job.id then redis.call('DEL', collapse) end
  count_waiting(job, -1)
  tally('ended:' .. state)
  count(COUNTS, state, 1)
  if counter(state) % SWEEP_EVERY == 0 then sweep_index() end
  if state ~= 'delivered' then
    redis.call('XADD', LETTERS, 'MINID', '~', whole(now - KEEP), '*', 'job', job.id)
  end
  publish(job)
  ENDED[#ENDED + 1] = told(job, announce(job), bodies)
  return left
end

end

-- Take JOB, of which nothing may have been sent, out of wherever it waits, and end it as cancelled because of CODE.
-- Returns the place it had in its lane, if it was there.
local function withdraw(job, code)
  local target = job.target
  local at = redis.call('ZSCORE', LANE .. target, job.id)
  redis.call('ZREM', SCHEDULED, scheduled_as(job))
  if job.requester then redis.call('ZREM', ASIDE .. aside_of(job), job.id) end
  local left = finish(job, 'cancelled', code)
  if at and not noted_down(FLIGHTS, target) then turn(target, now, left) end
  return at
end
