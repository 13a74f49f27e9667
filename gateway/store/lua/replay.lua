-- Sends jobs again that ended undelivered, as new jobs with the parts that are missing; safe to repeat.
-- include: lanes
-- ARGV  1 most jobs queued  2 longest age (ms)  3 number of jobs, then for each its id and the id of the new one
-- Steps per job: go to the last of its replays; answer that one while it is under way, or when it was delivered; else make
--       the new job, which takes its place at the end of its lane and the parts from the old one, and note it there.
-- Reply one {outcome, id} a job: replayed (id of the new job) | duplicate (id of the replay there is) | not_ended |
--       nothing_left (all of it was delivered) | gone (no record is left of it, or of its replay) | full | later (this
--       call has moved enough: ask again)

local most, max_age = tonumber(ARGV[1]), tonumber(ARGV[2])
local MOST_REPLAYS = 1000 -- of one job, each after the one before; more is no chain that we made
local MOST_BYTES = 1048576 -- of records that are moved: bounds the time Redis is held
local moved = 0

local function last_of(id)
  local job = load(id)
  for _ = 1, MOST_REPLAYS do
    if not job or not job.replayed then return job end
    -- Once a replay's record is gone, nobody knows whether it was delivered.
    job = load(job.replayed)
  end
end

local function again(old, id)
  local parts, times, media = {}, {}, {}
  local all = parts_of(old)
  for i = old.done + 1, old.total do
    parts[#parts + 1], times[#times + 1], media[#media + 1] = all[i], old.times[i], old.media and old.media[i]
  end
  local job = setmetatable({
    id = id, created = now, message_ids = {}, attempts = {},
    target = old.target, requester = old.requester, priority = old.priority, on_unknown = old.on_unknown,
    metadata = old.metadata, callback = old.callback, replay_of = ACCOUNT .. '.' .. old.id, expires = now + max_age,
    total = #parts, times = times, media = old.media and media, seq = next_of('seq'),
  }, USUAL)
  said[id] = cmsgpack.pack(parts)
  enter(job)
  join(job)
  old.replayed = id
  -- A late event tells of an unconfirmed one by its parts.
  if old.state ~= 'unconfirmed' then said[old.id] = nil end
  rewrite(old)
end

local function replay(id, new)
  if moved > MOST_BYTES then return {'later', id} end
  moved = moved + redis.call('STRLEN', JOB .. id)
  if redis.call('EXISTS', JOB .. new) == 1 then return {'replayed', new} end
  local old = last_of(id)
  if not old then return {'gone', id} end
  if not old.ended then return old.id == id and {'not_ended', id} or {'duplicate', old.id} end
  if old.done == old.total or not said[old.id] then return {old.id == id and 'nothing_left' or 'duplicate', old.id} end
  if counter('queued') >= most then return {'full', id} end
  again(old, new)
  return {'replayed', new}
end

local replies = {}
for i = 1, tonumber(ARGV[3]) do replies[i] = replay(ARGV[2 + 2 * i], ARGV[3 + 2 * i]) end
return written(replies)
