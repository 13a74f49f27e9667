-- What is known of a job, and of the message ids that NapCat gave to its parts.
-- include: writes

-- A record is what is known of a job, packed, and behind it what the job says, as it was packed at admission: a list of
-- its parts, {action, body, timeout (ms), fetch (ms), fingerprint, nodes (0 or 1)} each. That is long, is needed seldom
-- and never changes, so that no script takes it apart that need not.
local said = {} -- by job

-- What most jobs have in common is in no record.
local USUAL = {__index = {state = 'queued', retries = 0, done = 0, total = 1, lapse = 'max_age'}}

-- What is known of the job ID, but not whether it is being sent; and the bytes of its record.
local function record(id)
  local packed = redis.call('GET', JOB .. id)
  if not packed then return nil end
  local behind, job = unpack_record(packed)
  if behind ~= -1 then said[id] = string.sub(packed, behind + 1) end
  job.id, job.attempts, job.message_ids = id, job.attempts or {}, job.message_ids or {}
  return setmetatable(job, USUAL), #packed
end

-- The call under way in the lane of TARGET: {job, token, attempt, part, since, when its lease lapses}.
local function call_of(target)
  local call = noted_down(FLIGHTS, target)
  return call and cmsgpack.unpack(call)
end

-- JOB as it is while CALL is under way, of which its record does not tell.
local function under_way(job, call)
  local last = job.attempts[#job.attempts]
  if not last or last.token ~= call[2] then
    job.attempts[#job.attempts + 1] = {token = call[2], n = call[3], part = call[4], began = call[5]}
    job.updated = call[5]
  end
  job.state, job.called_back, job.again = 'sending', nil, nil
  return job
end

-- The job ID as it is, and the bytes of its record.
local function load(id)
  local job, size = record(id)
  local call = job and not job.ended and call_of(job.target)
  if call and call[1] == id then under_way(job, call) end
  return job, size
end

-- The job ID, and where that is "" the job of the idempotency key NAME.
local function find(id, name)
  if id == '' then id = string.match(redis.call('GET', KEY .. name) or '', '^%S+') end
  return id and load(id)
end

local function parts_of(job) return said[job.id] and cmsgpack.unpack(said[job.id]) or {} end

local function packed_of(job)
  local id, attempts, ids = job.id, job.attempts, job.message_ids
  job.id = nil
  if #attempts == 0 then job.attempts = nil end
  if #ids == 0 then job.message_ids = nil end
  local packed = pack_record(job)
  job.id, job.attempts, job.message_ids = id, attempts, ids
  return packed .. (said[id] or '')
end

-- When JOB may go at the earliest, and when it last changed.
local function first_go_of(job) return job.first_go or job.created end
local function updated_of(job) return job.updated or job.ended or job.created end

-- Write the record of JOB.
local function save(job)
  job.updated = now
  redis.call('SET', JOB .. job.id, packed_of(job))
end

-- The same, of one that may have ended: it is dropped when it was to be, and says itself when it changed.
local function rewrite(job) redis.call('SET', JOB .. job.id, packed_of(job), 'KEEPTTL') end

-- Messages ----------------------------------------------------------------------------------------------------------

-- Whose message is whose is known until the end of the next day: for late events, and for its recall.
local DAY = 86400000

local function messages_of(days_ago) return MESSAGES .. whole(floor(now / DAY) - days_ago) end

-- The target and the job that MESSAGE_ID is known to belong to, if any.
local function whose(message_id)
  for days_ago = 0, 1 do
    local known = noted_down(messages_of(days_ago), whole(message_id))
    if known then return string.match(known, '^(%S+) (%S+)$') end
  end
end

-- The job that MESSAGE_ID in TARGET is known to belong to, if any.
local function answered_by(target, message_id)
  local where, id = whose(message_id)
  return where == target and id or nil
end
