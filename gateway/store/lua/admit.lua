-- Puts jobs of one account into their lanes, each with its record and its idempotency key; safe to repeat.
-- include: account
-- ARGV  1 source ("" when the job came by itself)  2 most jobs queued  3 how long keys and records are kept (ms)
--       4 longest age (ms)  5 receipts stream length  6 number of jobs, then for each job 17 fields and its parts, 7
--       fields each:
--         id, entry id, key, fingerprint, target, requester, priority, not before (ms), delay (ms),
--         expires at (ms), time to live (ms), on unknown, metadata (JSON), replay of, collapse key,
--         callback ("<host> <url>"), number of parts
--         action, body, timeout (ms), fetch (ms), fingerprint, nodes (0 or 1), digests of its media
--       last: 'bodies' or ''
-- Steps per job: skip an entry that is not newer than its source's mark; answer a known id or key; refuse when full;
--       else end the job it collapses, write record, key and lane (or the schedule, until it is due), and move the mark.
-- Reply {outcomes, ended}: one {outcome, id} per job: admitted | duplicate (id of the first job) | conflict (same key, other fields) |
--       seen (entry read before) | full (this and all after it were not taken)

local source, most, keep, max_age = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local length = tonumber(ARGV[5])
local queued = tonumber(redis.call('HGET', COUNTS, 'queued') or 0)
local cursor = 6

local function take()
  cursor = cursor + 1
  return ARGV[cursor]
end

local function given()
  local text = take()
  return text ~= '' and text or nil
end

local function read_job()
  local job = {id = take(), state = 'queued', created = now, retries = 0, done = 0, message_ids = {}, attempts = {}}
  local entry = take()
  job.key = given()
  local fingerprint = take()
  job.target, job.requester, job.priority = take(), given(), given()
  local not_before, delay = tonumber(take()), tonumber(take())
  local expires, ttl = tonumber(take()), tonumber(take())
  job.on_unknown, job.metadata, job.replay_of, job.collapse = given(), given(), given(), given()
  job.callback = given()
  job.total, job.parts = tonumber(take()), {}
  for i = 1, job.total do
    job.parts[i] = {take(), take(), tonumber(take()), tonumber(take()), take(), tonumber(take()), given()}
  end
  job.first_go = not_before or now + (delay or 0)
  job.lapse = expires and 'expires_at' or ttl and 'ttl' or 'max_age'
  job.expires = expires or ttl and now + ttl or math.max(job.first_go, now) + max_age
  return job, entry, fingerprint
end

-- Stream ids are "<ms>-<seq>"; both halves fit a Lua number.
local function newer(entry, mark)
  local ms, seq = string.match(entry, '^(%d+)-(%d+)$')
  local mark_ms, mark_seq = string.match(mark, '^(%d+)-(%d+)$')
  ms, mark_ms = tonumber(ms), tonumber(mark_ms)
  return ms > mark_ms or ms == mark_ms and tonumber(seq) > tonumber(mark_seq)
end

-- What is known of the key of JOB: nil, or the outcome and the first job's id.
local function known_key(job, fingerprint)
  local known = job.key and redis.call('GET', KEY .. job.key)
  if not known then return nil end
  local id, known_fingerprint = string.match(known, '^(%S+) (%S+)$')
  return known_fingerprint == fingerprint and 'duplicate' or 'conflict', id
end

-- End the job that JOB collapses, one of the same lane and key of which nothing may have been sent. Returns it, and the
-- place in the lane that JOB takes over.
local function collapse(job)
  local name = COLLAPSE .. job.target .. ':' .. job.collapse
  local id = redis.call('GET', name)
  local old = id and load(id)
  redis.call('SET', name, job.id)
  if old and unsent(old) then
    queued = queued - 1
    return old, withdraw(old, 'collapsed', keep, length)
  end
end

local function admit(job, fingerprint)
  if redis.call('EXISTS', JOB .. job.id) == 1 then return 'admitted', job.id end
  local outcome, id = known_key(job, fingerprint)
  if outcome then return outcome, id end
  if queued >= most then return 'full', job.id end
  queued = redis.call('HINCRBY', COUNTS, 'queued', 1)
  local old, inherited
  if job.collapse then old, inherited = collapse(job) end
  job.seq = old and old.seq or redis.call('HINCRBY', COUNTS, 'seq', 1)
  job.again = old and old.again
  enter(job)
  if job.key then redis.call('SET', KEY .. job.key, job.id .. ' ' .. fingerprint) end
  if job.first_go > now then
    redis.call('ZADD', SCHEDULED, job.first_go, scheduled_as(job))
    tally('scheduled')
  else
    join(job, inherited)
  end
  return 'admitted', job.id
end

local mark = source ~= '' and redis.call('HGET', MARKS, source) or nil
local reply, full = {}, false
for i = 1, tonumber(ARGV[6]) do
  local job, entry, fingerprint = read_job()
  if full then
    reply[i] = {'full', job.id}
  elseif mark and not newer(entry, mark) then
    -- A conflict is told again, in case its reader stopped before it had written that down.
    reply[i] = {known_key(job, fingerprint) == 'conflict' and 'conflict' or 'seen', job.id}
  else
    local outcome, id = admit(job, fingerprint)
    full = outcome == 'full'
    if source ~= '' and not full then mark = entry end
    reply[i] = {outcome, id}
  end
end
if mark then redis.call('HSET', MARKS, source, mark) end
return {reply, ENDED}
