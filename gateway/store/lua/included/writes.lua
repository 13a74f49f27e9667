-- What a script writes where many jobs write the same, gathered; and counting by the minute.
-- include: account

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

local function entry_of(entries, key)
  local entry = entries[key]
  if not entry then
    entry = {}
    entries[key] = entry
  end
  return entry
end

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
