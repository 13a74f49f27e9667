-- What every account script begins with: its keys, the time, and that its data are of a format known here.
-- include: format
-- KEYS: the account's ring, in the order of keys.RING. Times are whole milliseconds of Redis' own clock (TIME):
-- 13 digits, which cjson and tostring keep exact.
-- Lua knows 200 names at once in a script: those that only one function needs stand in a block with it.

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

-- A number as Redis and JSON read it: Lua's own spelling keeps 14 digits only.
local function whole(number) return format('%d', number) end

-- A first write that needs no memory: a script that has written may go on writing when Redis is full. For what frees more
-- than it takes, as a tick does, and for what lets one happen.
local function write_though_full() redis.call('ZREM', DUE, '') end
