-- Puts jobs of one account into their lanes, each with its record and its idempotency key; safe to repeat.
-- include: ends
-- ARGV  1 source ("" when the job came by itself)  2 most jobs queued  3 how long keys and records are kept (ms)
--       4 longest age (ms)  5 receipts stream length  6 jobs, packed: a list of {id, entry, fingerprint, key, target,
--         requester, priority, not_before (ms), delay (ms), expires (ms), ttl (ms), on_unknown, metadata (JSON),
--         collapse, callback ("<host> <url>"), total (number of parts), times (of each part, what its call may take, ms),
--         media (of each part, digests parted by blanks)} each; what is not given is not there
--       then for each job what it says: its parts, packed as a record keeps them
--       last: 'bodies' or ''
-- Steps per job: skip an entry that is not newer than its source's mark; answer a known id or key; refuse when full;
--       else end the job it collapses, write record, key and lane (or the schedule, until it is due), and move the mark.
-- Reply {outcomes, ended}: one {outcome, id} per job: admitted | duplicate (id of the first job) | conflict (same key,
--       other fields) | seen (entry read before) | full (this and all after it were not taken)

local source, most, max_age = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4])
KEEP, LENGTH = tonumber(ARGV[3]), tonumber(ARGV[5])

-- Make of JOB, as it was submitted, one that waits; what only the admission asks is returned.
local function enrol(job)
  local entry, fingerprint, not_before = job.entry, job.fingerprint, job.not_before
  local expires, ttl = job.expires, job.ttl
  job.created, job.message_ids, job.attempts = now, {}, {}
  job.first_go = not_before or job.delay and now + job.delay
  job.lapse = expires and 'expires_at' or ttl and 'ttl' or nil
  job.expires = expires or ttl and now + ttl or math.max(first_go_of(job), now) + max_age
  job.entry, job.fingerprint, job.not_before, job.delay, job.ttl = nil, nil, nil, nil, nil
  setmetatable(job, USUAL)
  return entry, fingerprint
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
    return old, withdraw(old, 'collapsed')
  end
end

local function there(job) return redis.call('EXISTS', JOB .. job.id) == 1 end

local function admit(job, fingerprint)
  local outcome, id = known_key(job, fingerprint)
  if id == job.id then return 'admitted', id end
  if outcome then return outcome, id end
  if counter('queued') >= most then return there(job) and 'admitted' or 'full', job.id end
  local old, inherited
  if job.collapse and not there(job) then old, inherited = collapse(job) end
  job.seq = old and old.seq or next_of('seq')
  job.again = old and old.again
  if not enter(job) then
    -- Should a script have failed half way, its lane may have no turn.
    if not score_of(DUE, job.target) and not noted_down(FLIGHTS, job.target) then turn(job.target, now) end
    return 'admitted', job.id
  end
  if job.key then redis.call('SET', KEY .. job.key, job.id .. ' ' .. fingerprint) end
  if first_go_of(job) > now then
    redis.call('ZADD', SCHEDULED, job.first_go, scheduled_as(job))
    tally('scheduled')
  else
    join(job, inherited)
  end
  return 'admitted', job.id
end

local mark = source ~= '' and redis.call('HGET', MARKS, source) or nil
local reply, full = {}, false
for i, job in ipairs(cmsgpack.unpack(ARGV[6])) do
  local entry, fingerprint = enrol(job)
  said[job.id] = ARGV[6 + i]
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
return written({reply, ENDED})
