-- What every account script shares: keys, time, records, lanes, receipts. Included by the loader, not run alone.
-- KEYS: the account's ring, in the order of keys.RING. Times are whole milliseconds of Redis' own clock (TIME):
-- 13 digits, which cjson and tostring keep exact.

local DUE, FLIGHTS, SCHEDULED, HOLDS, COUNTS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local MARKS, STREAKS, MEDIA, RECEIPTS = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local JOB, LANE, KEY, RATE, TICK, UNSETTLED = KEYS[10], KEYS[11], KEYS[12], KEYS[13], KEYS[14], KEYS[15]
local ASIDE, MESSAGES, COLLAPSE, LIMITS, BLOCKED = KEYS[16], KEYS[17], KEYS[18], KEYS[19], KEYS[20]
local LOOKS, SLOWED, SPREAD, UNMATCHED, LOGIN = KEYS[21], KEYS[22], KEYS[23], KEYS[24], KEYS[25]
local INDEX, LETTERS = KEYS[26], KEYS[27]
local CALLBACKS, RECEIVERS, RECEIVER = KEYS[28], KEYS[29], KEYS[30]
local FLOW, BACKLOG = KEYS[31], KEYS[32]
local ACCOUNT = string.match(DUE, '{(.*)}:due$')

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- A lane's places: 0 is the job whose turn it is, then by priority, then by admission.
local CLASS = 2 ^ 45
local PLACE = {high = CLASS, normal = 2 * CLASS, low = 3 * CLASS}

local function load(id)
  local packed = redis.call('GET', JOB .. id)
  return packed and cmsgpack.unpack(packed)
end

local function save(job)
  job.updated = now
  redis.call('SET', JOB .. job.id, cmsgpack.pack(job))
end

-- A number as Redis and JSON read it: Lua's own spelling keeps 14 digits only.
local function whole(number) return string.format('%.0f', number) end

-- A first write that needs no memory: a script that has written may go on writing when Redis is full. For what frees more
-- than it takes, as a tick does, and for what lets one happen.
local function write_though_full() redis.call('ZREM', DUE, '') end

-- What happens is counted by the minute, for an hour and a little more.
local MINUTE = 60000

local function flow_of(minutes_ago) return FLOW .. whole(math.floor(now / MINUTE) - minutes_ago) end

local function tally(what)
  local key = flow_of(0)
  if redis.call('HINCRBY', key, what, 1) == 1 then redis.call('PEXPIRE', key, 62 * MINUTE) end
end

-- Messages ----------------------------------------------------------------------------------------------------------

-- Whose message is whose is known until the end of the next day: for late events, and for its recall.
local DAY = 86400000

local function messages_of(days_ago) return MESSAGES .. whole(math.floor(now / DAY) - days_ago) end

-- The target and the job that MESSAGE_ID is known to belong to, if any.
local function whose(message_id)
  for days_ago = 0, 1 do
    local known = redis.call('HGET', messages_of(days_ago), whole(message_id))
    if known then return string.match(known, '^(%S+) (%S+)$') end
  end
end

-- Holds -------------------------------------------------------------------------------------------------------------

-- A pause of the account that has run out is half open: a replica asks NapCat (`probing`: until when it has time for
-- that), and when all is well, few calls at once are tried (`trial`: how many, `tried`: since when), more with every
-- answer.

local NOTED = {} -- what this script held, slowed or let go by itself: {what, name, reason, until}

local function note(what, name, reason, ends) NOTED[#NOTED + 1] = {what, name, reason, whole(ends or 0)} end

local function hold_of(name)
  local packed = redis.call('HGET', HOLDS, name)
  return packed and cmsgpack.unpack(packed)
end

-- A target that is muted is asked about: how long, and whether its mute was lifted unheard. It stands among the jobs of
-- LOOKS, with this before its name.
local MUTED, ASK_AGAIN = 'muted:', 600000

local function ask_about_mute(target, at) redis.call('ZADD', LOOKS, at, MUTED .. target) end

-- A hold that ran out is remembered for the next one of its target, which may never come.
local MANY_HOLDS = 256

local function forget_old_holds()
  local packed = redis.call('HGETALL', HOLDS)
  for i = 1, #packed, 2 do
    if packed[i] ~= 'account' and cmsgpack.unpack(packed[i + 1])['until'] + 86400000 < now then
      redis.call('HDEL', HOLDS, packed[i])
    end
  end
end

-- Hold NAME (a target, or "account") for MS because an answer said so, for REASON. A hold that ran out and is needed
-- again, because the first call after it failed too, lasts twice as long, up to 30 s or its own length; calls that fail
-- together are one failure. Of two reasons at once the one that holds for longer counts: what lets go the other must not
-- let go this one. What an operator holds, an answer neither shortens nor explains.
local function hold(name, ms, reason)
  local old = hold_of(name)
  if old and old.operator then
    if old['until'] > now then return old['until'] end
    old = old.under and old.under['until'] > now and old.under or nil
  end
  local times = old and (old['until'] <= now and old.times + 1 or old.times) or 0
  local length = math.max(ms, math.min(ms * 2 ^ math.min(times, 16), 30000))
  local ends = now + length
  if old and old['until'] > ends then ends, reason = old['until'], old.reason end
  redis.call('HSET', HOLDS, name, cmsgpack.pack({
    since = old and old.since or now, ['until'] = ends, reason = reason, times = times,
  }))
  if not old and redis.call('HLEN', HOLDS) % MANY_HOLDS == 0 then forget_old_holds() end
  -- A pause that is repeated is one pause; a target that is held again has been let go in between.
  local again = old and (old['until'] > now or name == 'account')
  if not again or old.reason ~= reason then note('held', name, reason, ends) end
  return ends
end

-- Until when the account is paused, as far as is known; nil when it is not.
local function paused_until()
  local paused = hold_of('account')
  if not paused then return nil end
  if paused['until'] > now then return paused['until'] end
  if not paused.trial then return math.max(paused.probing or 0, now) end
end

-- An operator's hold HELD of NAME has run out: what it lay upon goes on, if it still holds; else a target is free, and an
-- account is half open. Returns the hold there is now.
local function outlast(name, held)
  local under = held.under
  if under and under['until'] > now then
    redis.call('HSET', HOLDS, name, cmsgpack.pack(under))
    return under
  end
  if name ~= 'account' then
    redis.call('HDEL', HOLDS, name)
    return nil
  end
  local open = {since = held.since, ['until'] = held['until'], reason = held.reason, times = 0}
  redis.call('HSET', HOLDS, name, cmsgpack.pack(open))
  return open
end

-- Lanes -------------------------------------------------------------------------------------------------------------

-- The lane of TARGET may go at AT, or when its hold ends; a lane without work has no turn.
local function turn(target, at)
  if redis.call('EXISTS', LANE .. target) == 0 then
    redis.call('ZREM', DUE, target)
    redis.call('HDEL', STREAKS, target)
    return
  end
  local held = hold_of(target)
  if held and held['until'] > at then at = held['until'] end
  redis.call('ZADD', DUE, at, target)
end

-- A target in whose lane something waits behind another is known by how much that is; called after its lane has grown
-- (or else shrunk).
local function measure(target, grown)
  local depth = redis.call('ZCARD', LANE .. target)
  if depth >= 2 then
    redis.call('ZADD', BACKLOG, depth, target)
  elseif depth == 1 and not grown then
    redis.call('ZREM', BACKLOG, target)
  end
end

local function place(job) return PLACE[job.priority or 'normal'] + job.seq end

-- JOB takes its place in its lane, or the one it inherits; a lane that waits for something goes on waiting for it.
local function join(job, inherited)
  redis.call('ZADD', LANE .. job.target, inherited or place(job), job.id)
  measure(job.target, true)
  if not redis.call('ZSCORE', FLIGHTS, job.target) and not redis.call('ZSCORE', DUE, job.target) then
    turn(job.target, now)
  end
end

-- The schedule ------------------------------------------------------------------------------------------------------

-- Jobs due at the same instant rejoin in the order of their admission.
local function scheduled_as(job) return string.format('%016.0f:%s', job.seq, job.id) end

-- Jobs of one lane that wait for their requester's rate stand aside together, and come back one at a time.
local function aside_of(job) return job.target .. ':' .. job.requester end

-- Let the next of those who stand aside with JOB come back AT, if there is one.
local function call_back(job, at)
  if job.requester and redis.call('EXISTS', ASIDE .. aside_of(job)) == 1 then
    redis.call('ZADD', SCHEDULED, 'NX', at, 'aside:' .. aside_of(job))
  end
end

-- Receipts ----------------------------------------------------------------------------------------------------------

-- Lua knows 200 names at once: those that only one function needs are its own.
local receipt
do

local function rfc3339(ms)
  local days = math.floor(ms / 86400000)
  local left = ms - days * 86400000
  -- Days to year, month and day after Howard Hinnant's civil_from_days: years begin in March.
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ',
    yoe + era * 400 + (month <= 2 and 1 or 0), month, doy - math.floor((153 * mp + 2) / 5) + 1,
    math.floor(left / 3600000), math.floor(left / 60000) % 60, math.floor(left / 1000) % 60, left % 1000)
end

-- Collects the members of a JSON object in order, leaving out what is not known.
local function object()
  local members = {}
  local add = {}
  function add.raw(name, json) if json then members[#members + 1] = '"' .. name .. '":' .. json end end
  function add.text(name, text) if text then add.raw(name, cjson.encode(text)) end end
  function add.number(name, number) if number then add.raw(name, whole(number)) end end
  function add.time(name, ms) if ms then add.raw(name, '"' .. rfc3339(ms) .. '"') end end
  function add.close() return '{' .. table.concat(members, ',') .. '}' end
  return add
end

local function attempts_json(attempts)
  local items = {}
  for i, attempt in ipairs(attempts) do
    local add = object()
    add.number('n', attempt.n)
    add.number('part', attempt.part)
    add.time('began_at', attempt.began)
    add.number('took_ms', attempt.took)
    add.number('http_status', attempt.http)
    add.number('retcode', attempt.retcode)
    add.number('result', attempt.result)
    add.text('verdict', attempt.verdict)
    add.text('rule', attempt.rule)
    add.text('text', attempt.text)
    items[i] = add.close()
  end
  return '[' .. table.concat(items, ',') .. ']'
end

-- The public receipt of JOB as JSON; SHOWN may replace state and reason and add an eta (what a reader is told while
-- the job waits). A BRIEF one is without attempts.
function receipt(job, shown, brief)
  shown = shown or {}
  local ids = {}
  for i, id in ipairs(job.message_ids) do ids[i] = whole(id) end
  local add = object()
  add.text('id', ACCOUNT .. '.' .. job.id)
  add.text('key', job.key)
  add.text('account', ACCOUNT)
  add.text('target', job.target)
  add.text('state', shown.state or job.state)
  add.text('reason', shown.reason or job.reason)
  add.text('code', job.code)
  add.time('eta', shown.eta)
  add.time('created_at', job.created)
  add.time('updated_at', job.updated)
  add.time('ended_at', job.ended)
  add.raw('message_ids', '[' .. table.concat(ids, ',') .. ']')
  add.raw('parts', '{"total":' .. job.total .. ',"delivered":' .. job.done .. '}')
  if not brief then add.raw('attempts', attempts_json(job.attempts)) end
  add.text('evidence', job.evidence)
  if job.corrected then add.raw('corrected', 'true') end
  add.time('recalled_at', job.recalled)
  add.text('replay_of', job.replay_of)
  add.raw('metadata', job.metadata)
  return add.close()
end

end

local function publish(job, length)
  redis.call('XADD', RECEIPTS, 'MAXLEN', '~', length, '*', 'receipt', receipt(job))
end

-- Whether nothing of JOB may have been sent: only then may it be cancelled, expire or be replaced.
local function unsent(job) return job.state == 'queued' and job.done == 0 and not job.doubted end

-- The index ---------------------------------------------------------------------------------------------------------

-- A new JOB gets its record, and its place among all jobs.
local function enter(job)
  save(job)
  redis.call('XADD', INDEX, '*', 'job', job.id)
  tally('admitted')
end

-- Drop some entries of the index whose records are gone: more at a time than came in since the last time, so that it
-- never has many of them.
local SWEEP_EVERY, SWEPT = 64, 192

local function sweep_index()
  local at = redis.call('HMGET', COUNTS, 'swept_ms', 'swept_seq')
  local entries = redis.call('XRANGE', INDEX, at[1] and '(' .. at[1] .. '-' .. at[2] or '-', '+', 'COUNT', SWEPT)
  for _, entry in ipairs(entries) do
    if redis.call('EXISTS', JOB .. entry[2][2]) == 0 then redis.call('XDEL', INDEX, entry[1]) end
  end
  if #entries < SWEPT then return redis.call('HDEL', COUNTS, 'swept_ms', 'swept_seq') end
  local ms, seq = string.match(entries[SWEPT][1], '^(%d+)-(%d+)$')
  redis.call('HSET', COUNTS, 'swept_ms', ms, 'swept_seq', seq)
end

-- Ends, told -------------------------------------------------------------------------------------------------------

-- What this script ended, for who writes it down: {job, target, state, code, '1' when its callback is due, ms since
-- admission, ms from admission to the first claim (-1: never claimed), attempts, parts delivered, parts, message ids,
-- evidence, rare}
--       rare: names and values of what few jobs have: settle (ms between unknown and now), key, requester, replay_of,
--       corrected, metadata (where it says of a trace), bodies (of its parts; where they are wished for)
-- Each script that can end a job takes as its last ARGV 'bodies' where they are wished for, else ''.
local ENDED = {}
local TELL_BODIES = ARGV[#ARGV] == 'bodies'
local LONGEST_TOLD = 65536 -- bytes of a body; what is larger carries media

-- The metadata of JOB, where it may say of a trace.
local function trace_of(job)
  return job.metadata and string.find(job.metadata, '"traceparent"', 1, true) and job.metadata or ''
end

local function bodies_of(job)
  local bodies = {}
  for i, part in ipairs(job.parts or {}) do bodies[i] = #part[2] <= LONGEST_TOLD and part[2] or '' end
  return bodies
end

-- How JOB ended, as its record says; BODIES are those of its parts.
local function told(job, callback, bodies)
  local first, last = job.attempts[1], job.attempts[#job.attempts]
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
  return {
    job.id, job.target, job.state, job.code or '', callback, job.ended - job.created,
    first and (first.since or first.began) - job.created or -1, last and last.n or 0, job.done, job.total,
    job.message_ids, job.evidence or '', rare,
  }
end

-- Endings -----------------------------------------------------------------------------------------------------------

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
-- keeps its parts, for a replay.
local function finish(job, state, code, keep, length)
  job.state, job.code, job.reason, job.ended = state, code, code == 'collapsed' and code or nil, now
  job.posts = nil -- a correction is told of with all tries
  local bodies = TELL_BODIES and bodies_of(job)
  if state == 'delivered' then job.parts = nil end
  if redis.call('ZREM', LANE .. job.target, job.id) == 1 then measure(job.target) end
  call_back(job, now)
  save(job)
  redis.call('PEXPIRE', JOB .. job.id, keep)
  if job.key then redis.call('PEXPIRE', KEY .. job.key, keep) end
  local collapse = job.collapse and COLLAPSE .. job.target .. ':' .. job.collapse
  if collapse and redis.call('GET', collapse) == job.id then redis.call('DEL', collapse) end
  redis.call('HINCRBY', COUNTS, 'queued', -1)
  tally('ended:' .. state)
  local ended = redis.call('HINCRBY', COUNTS, state, 1)
  if ended % SWEEP_EVERY == 0 then sweep_index() end
  if state ~= 'delivered' then
    redis.call('XADD', LETTERS, 'MINID', '~', whole(now - keep), '*', 'job', job.id)
  end
  publish(job, length)
  ENDED[#ENDED + 1] = told(job, announce(job), bodies)
end

-- Take JOB, of which nothing may have been sent, out of wherever it waits, and end it as cancelled because of CODE.
-- Returns the place it had in its lane, if it was there.
local function withdraw(job, code, keep, length)
  local target = job.target
  local at = redis.call('ZSCORE', LANE .. target, job.id)
  redis.call('ZREM', SCHEDULED, scheduled_as(job))
  if job.requester then redis.call('ZREM', ASIDE .. aside_of(job), job.id) end
  finish(job, 'cancelled', code, keep, length)
  if at and not redis.call('ZSCORE', FLIGHTS, target) then turn(target, now) end
  return at
end
