-- Sends jobs again that ended undelivered, as new jobs with the parts that are missing; safe to repeat.
-- include: account
-- ARGV  1 most jobs queued  2 longest age (ms)  3 number of jobs, then for each its id and the id of the new one
-- Steps per job: go to the last of its replays; answer that one while it is under way, or when it was delivered; else make
--       the new job, which takes its place at the end of its lane, and note it in the old one.
-- Reply one {outcome, id} a job: replayed (id of the new job) | duplicate (id of the replay there is) | not_ended |
--       nothing_left (all of it was delivered) | gone (no record of it is left) | full

local most, max_age = tonumber(ARGV[1]), tonumber(ARGV[2])
local MOST_REPLAYS = 1000 -- of one job, each after the one before; more is no chain that we made

local function last_of(id)
  local job = load(id)
  for _ = 1, MOST_REPLAYS do
    local replay = job and job.replayed and load(job.replayed)
    if not replay then return job end
    job = replay
  end
end

local function again(old, id)
  local parts = {}
  for i = old.done + 1, old.total do parts[#parts + 1] = old.parts[i] end
  local job = {
    id = id, state = 'queued', created = now, retries = 0, done = 0, message_ids = {}, attempts = {},
    target = old.target, requester = old.requester, priority = old.priority, on_unknown = old.on_unknown,
    metadata = old.metadata, replay_of = ACCOUNT .. '.' .. old.id, parts = parts, total = #parts,
    first_go = now, lapse = 'max_age', expires = now + max_age,
  }
  redis.call('HINCRBY', COUNTS, 'queued', 1)
  job.seq = redis.call('HINCRBY', COUNTS, 'seq', 1)
  enter(job)
  join(job)
  old.replayed = id
  redis.call('SET', JOB .. old.id, cmsgpack.pack(old), 'KEEPTTL')
end

local function replay(id, new)
  if redis.call('EXISTS', JOB .. new) == 1 then return {'replayed', new} end
  local old = last_of(id)
  if not old then return {'gone', id} end
  if not old.ended then return old.id == id and {'not_ended', id} or {'duplicate', old.id} end
  if old.done == old.total or not old.parts then return {old.id == id and 'nothing_left' or 'duplicate', old.id} end
  if tonumber(redis.call('HGET', COUNTS, 'queued') or 0) >= most then return {'full', id} end
  again(old, new)
  return {'replayed', new}
end

local replies = {}
for i = 1, tonumber(ARGV[3]) do replies[i] = replay(ARGV[2 + 2 * i], ARGV[3 + 2 * i]) end
return replies
