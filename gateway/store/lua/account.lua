-- What every account script shares: keys, time, records, lanes, receipts. Included by the loader, not run alone.
-- include: format
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

local format, floor = string.format, math.floor -- a name that is looked up costs time each time

local clock = redis.call('TIME')
local now = clock[1] * 1000 + floor(clock[2] / 1000)

-- A lane's places: 0 is the job whose turn it is, then by priority, then by admission.
local CLASS = 2 ^ 45
local PLACE = {high = CLASS, normal = 2 * CLASS, low = 3 * CLASS}

-- A number as Redis and JSON read it: Lua's own spelling keeps 14 digits only.
local function whole(number) return format('%d', number) end

-- A first write that needs no memory: a script that has written may go on writing when Redis is full. For what frees more
-- than it takes, as a tick does, and for what lets one happen.
local function write_though_full() redis.call('ZREM', DUE, '') end

local function entry_of(entries, key)
  local entry = entries[key]
  if not entry then
    entry = {}
    entries[key] = entry
  end
  return entry
end

-- Whether KEY is there. What nearly always is not is asked for once, not with each job; who writes it says so here.
local is_there = {}

local function any(key)
  if is_there[key] == nil then is_there[key] = redis.call('EXISTS', key) == 1 end
  return is_there[key]
end

-- Keep a time of the whole account as FIELD; nil: there is none.
local function keep_time(field, at)
  if at then
    redis.call('HSET', COUNTS, field, whole(at))
  else
    redis.call('HDEL', COUNTS, field)
  end
end

-- Gathered writes ---------------------------------------------------------------------------------------------------

-- What many jobs write to one key goes in one command, when the script ends: `written` sends it, and every script that
-- writes returns its reply through it. Until then it is read here.
local placed = {} -- of ZSETs: by key, then by member
local lasting = {} -- keys that are dropped after so many ms
local longest -- so many receipts are kept, where some were added
local put, score_of, note_down, noted_down, count, counter, next_of, write_places, write_fields, written
do

local set, counted = {}, {} -- of HASHes, and of the counters in them: by key, then by field
local counters = {} -- as they were

-- MEMBER gets SCORE in the ZSET of KEY; false: it leaves.
function put(key, member, score) entry_of(placed, key)[member] = score end

function score_of(key, member)
  local known = placed[key] and placed[key][member]
  if known == nil then known = redis.call('ZSCORE', key, member) end
  return known and tonumber(known) or nil
end

-- FIELD gets VALUE in the HASH of KEY; false: it goes.
function note_down(key, field, value) entry_of(set, key)[field] = value end

function noted_down(key, field)
  local known = set[key] and set[key][field]
  if known == nil then known = redis.call('HGET', key, field) end
  return known or nil
end

function count(key, field, number)
  local entry = entry_of(counted, key)
  entry[field] = (entry[field] or 0) + number
end

-- The counter FIELD of the account as it is now.
function counter(field)
  counters[field] = counters[field] or tonumber(redis.call('HGET', COUNTS, field) or 0)
  return counters[field] + (counted[COUNTS] and counted[COUNTS][field] or 0)
end

-- The next number that the counter FIELD of the account gives out.
function next_of(field)
  count(COUNTS, field, 1)
  return counter(field)
end

local MOST = 512 -- arguments of one command

local function in_some(command, key, arguments)
  for i = 1, #arguments, MOST do
    redis.call(command, key, unpack(arguments, i, math.min(i + MOST - 1, #arguments)))
  end
end

-- Send what KEY is to get of what was GATHERED: REMOVE what leaves it, and ADD what comes, its VALUE_FIRST or last.
local function write_gathered(gathered, key, remove, add, value_first)
  local come, leave = {}, {}
  for name, value in pairs(gathered[key] or {}) do
    if not value then
      leave[#leave + 1] = name
    elseif value_first then
      come[#come + 1], come[#come + 2] = value, name
    else
      come[#come + 1], come[#come + 2] = name, value
    end
  end
  gathered[key] = nil
  in_some(remove, key, leave)
  in_some(add, key, come)
end

-- Send what the ZSET, or the HASH, of KEY is to get: for what looks at more of it than one member.
function write_places(key) write_gathered(placed, key, 'ZREM', 'ZADD', true) end
function write_fields(key) write_gathered(set, key, 'HDEL', 'HSET', false) end

-- Send all that was gathered, and return REPLY.
function written(reply)
  for key in pairs(placed) do write_places(key) end
  for key in pairs(set) do write_fields(key) end
  for key, numbers in pairs(counted) do
    for field, number in pairs(numbers) do redis.call('HINCRBY', key, field, number) end
  end
  for key, ms in pairs(lasting) do redis.call('PEXPIRE', key, ms) end
  if longest then redis.call('XTRIM', RECEIPTS, 'MAXLEN', '~', longest) end
  return reply
end

end

-- What happens is counted by the minute, for an hour and a little more.
local MINUTE = 60000

local function flow_of(minutes_ago) return FLOW .. whole(floor(now / MINUTE) - minutes_ago) end

local this_minute

local function tally(what)
  if not this_minute then
    this_minute = flow_of(0)
    lasting[this_minute] = 62 * MINUTE
  end
  count(this_minute, what, 1)
end

-- Records -----------------------------------------------------------------------------------------------------------

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

-- Holds -------------------------------------------------------------------------------------------------------------

-- A pause of the account that has run out is half open: a replica asks NapCat (`probing`: until when it has time for
-- that), and when all is well, few calls at once are tried (`trial`: how many, `tried`: since when), more with every
-- answer.

local NOTED = {} -- what this script held, slowed or let go by itself: {what, name, reason, until}

local function note(what, name, reason, ends) NOTED[#NOTED + 1] = {what, name, reason, whole(ends or 0)} end

local function hold_of(name)
  local packed = any(HOLDS) and redis.call('HGET', HOLDS, name)
  return packed and cmsgpack.unpack(packed)
end

local function keep_hold(name, held)
  is_there[HOLDS] = true
  return redis.call('HSET', HOLDS, name, cmsgpack.pack(held))
end

-- A target that is muted is asked about: how long, and whether its mute was lifted unheard. It stands among the jobs of
-- LOOKS, with this before its name.
local MUTED, ASK_AGAIN = 'muted:', 600000

local function ask_about_mute(target, at) redis.call('ZADD', LOOKS, at, MUTED .. target) end

-- A hold that ran out is remembered for the next one of its target, which may never come.
local hold
do

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
function hold(name, ms, reason)
  local old = hold_of(name)
  if old and old.operator then
    if old['until'] > now then return old['until'] end
    old = old.under and old.under['until'] > now and old.under or nil
  end
  local times = old and (old['until'] <= now and old.times + 1 or old.times) or 0
  local length = math.max(ms, math.min(ms * 2 ^ math.min(times, 16), 30000))
  local ends = now + length
  if old and old['until'] > ends then ends, reason = old['until'], old.reason end
  keep_hold(name, {since = old and old.since or now, ['until'] = ends, reason = reason, times = times})
  if not old and redis.call('HLEN', HOLDS) % MANY_HOLDS == 0 then forget_old_holds() end
  -- A pause that is repeated is one pause; a target that is held again has been let go in between.
  local again = old and (old['until'] > now or name == 'account')
  if not again or old.reason ~= reason then note('held', name, reason, ends) end
  return ends
end

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
    keep_hold(name, under)
    return under
  end
  if name ~= 'account' then
    redis.call('HDEL', HOLDS, name)
    return nil
  end
  local open = {since = held.since, ['until'] = held['until'], reason = held.reason, times = 0}
  keep_hold(name, open)
  return open
end

-- Lanes -------------------------------------------------------------------------------------------------------------

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

-- Receipts ----------------------------------------------------------------------------------------------------------

-- Lua knows 200 names at once: those that only one function needs are its own.
local receipt
do

-- Days to year, month and day after Howard Hinnant's civil_from_days: years begin in March.
local function date(days)
  local z = days + 719468
  local era = floor(z / 146097)
  local doe = z - era * 146097
  local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
  local mp = floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  return format('%04d-%02d-%02dT', yoe + era * 400 + (month <= 2 and 1 or 0), month,
    doy - floor((153 * mp + 2) / 5) + 1)
end

local dates = {}

local function rfc3339(ms)
  local days = floor(ms / 86400000)
  local left = ms - days * 86400000
  dates[days] = dates[days] or date(days)
  return '"' .. dates[days] .. format('%02d:%02d:%02d.%03dZ"', floor(left / 3600000), floor(left / 60000) % 60,
    floor(left / 1000) % 60, left % 1000)
end

-- Most members of the receipts of one script are the same ones: each is spelled once.
local members = {}

-- The member NAME of a JSON object as SPELL spells its VALUE; nothing, where there is none.
local function member(name, value, spell)
  if not value then return '' end
  local known = entry_of(members, name)
  local text = known[value]
  if not text then
    text = name .. spell(value)
    known[value] = text
  end
  return text
end

local function attempt_json(attempt)
  return member('{"n":', attempt.n, whole) .. member(',"part":', attempt.part, whole)
    .. member(',"began_at":', attempt.began, rfc3339) .. member(',"took_ms":', attempt.took, whole)
    .. member(',"http_status":', attempt.http, whole) .. member(',"retcode":', attempt.retcode, whole)
    .. member(',"result":', attempt.result, whole) .. member(',"verdict":', attempt.verdict, cjson.encode)
    .. member(',"rule":', attempt.rule, cjson.encode) .. member(',"text":', attempt.text, cjson.encode) .. '}'
end

local function list(items, spell)
  if #items == 1 then return spell(items[1]) end
  local texts = {}
  for i, item in ipairs(items) do texts[i] = spell(item) end
  return table.concat(texts, ',')
end

local ID, OF = '{"id":"' .. ACCOUNT .. '.', '","account":"' .. ACCOUNT .. '","target":"'

-- The public receipt of JOB as JSON; SHOWN may replace state and reason and add an eta (what a reader is told while
-- the job waits). A BRIEF one is without attempts.
function receipt(job, shown, brief)
  return ID .. job.id .. (job.key and '","key":' .. string.sub(cjson.encode(job.key), 1, -2) or '') .. OF .. job.target
    .. member('","state":', shown and shown.state or job.state, cjson.encode)
    .. member(',"reason":', shown and shown.reason or job.reason, cjson.encode)
    .. member(',"code":', job.code, cjson.encode) .. member(',"eta":', shown and shown.eta, rfc3339) .. member(',"created_at":', job.created, rfc3339)
    .. member(',"updated_at":', updated_of(job), rfc3339) .. member(',"ended_at":', job.ended, rfc3339)
    .. ',"message_ids":[' .. list(job.message_ids, whole) .. member('],"parts":{"total":', job.total, whole)
    .. member(',"delivered":', job.done, whole) .. '}'
    .. (brief and '' or ',"attempts":[' .. list(job.attempts, attempt_json) .. ']')
    .. member(',"evidence":', job.evidence, cjson.encode) .. (job.corrected and ',"corrected":true' or '')
    .. member(',"recalled_at":', job.recalled, rfc3339) .. member(',"replay_of":', job.replay_of, cjson.encode)
    .. (job.metadata and ',"metadata":' .. job.metadata or '') .. '}'
end

end

local function publish(job, length)
  redis.call('XADD', RECEIPTS, '*', 'receipt', receipt(job))
  longest = length
end

-- Whether nothing of JOB may have been sent: only then may it be cancelled, expire or be replaced.
local function unsent(job) return job.state == 'queued' and job.done == 0 and not job.doubted end

-- The index ---------------------------------------------------------------------------------------------------------

-- A new JOB gets its record, and its place among all jobs; nil, when it has them already.
local function enter(job)
  if not redis.call('SET', JOB .. job.id, packed_of(job), 'NX') then return nil end
  redis.call('XADD', INDEX, '*', 'job', job.id)
  tally('admitted')
  count_waiting(job, 1)
  return job
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

local function sweep_index(keep)
  local at = redis.call('HMGET', COUNTS, 'swept_ms', 'swept_seq')
  -- What came in less than KEEP ago is there still.
  local begin = at[1] and '(' .. at[1] .. '-' .. at[2] or '-'
  local entries = redis.call('XRANGE', INDEX, begin, whole(now - keep), 'COUNT', SWEPT)
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
function finish(job, state, code, keep, length)
  job.state, job.code, job.reason, job.ended = state, code, code == 'collapsed' and code or nil, now
  job.posts = nil -- a correction is told of with all tries
  local bodies = TELL_BODIES and bodies_of(job)
  if state == 'delivered' then said[job.id] = nil end
  local left = redis.call('ZREM', LANE .. job.target, job.id) == 1 and measure(job.target) or nil
  call_back(job, now)
  job.updated = nil -- when it ended
  redis.call('SET', JOB .. job.id, packed_of(job), 'PX', keep)
  if job.key then redis.call('PEXPIRE', KEY .. job.key, keep) end
  local collapse = job.collapse and COLLAPSE .. job.target .. ':' .. job.collapse
  if collapse and redis.call('GET', collapse) == job.id then redis.call('DEL', collapse) end
  count_waiting(job, -1)
  tally('ended:' .. state)
  count(COUNTS, state, 1)
  if counter(state) % SWEEP_EVERY == 0 then sweep_index(keep) end
  if state ~= 'delivered' then
    redis.call('XADD', LETTERS, 'MINID', '~', whole(now - keep), '*', 'job', job.id)
  end
  publish(job, length)
  ENDED[#ENDED + 1] = told(job, announce(job), bodies)
  return left
end

end

-- Take JOB, of which nothing may have been sent, out of wherever it waits, and end it as cancelled because of CODE.
-- Returns the place it had in its lane, if it was there.
local function withdraw(job, code, keep, length)
  local target = job.target
  local at = redis.call('ZSCORE', LANE .. target, job.id)
  redis.call('ZREM', SCHEDULED, scheduled_as(job))
  if job.requester then redis.call('ZREM', ASIDE .. aside_of(job), job.id) end
  local left = finish(job, 'cancelled', code, keep, length)
  if at and not noted_down(FLIGHTS, target) then turn(target, now, left) end
  return at
end
