-- Counts what an account holds right now; writes nothing.
-- include: account
-- ARGV  none
-- Reply {counts (name, number, …), lanes due, in flight, scheduled, receipts, overdue (ms the longest-waiting lane is
--       past its turn), holds}
--       hold: {name, since (ms), until (ms), reason}

local first = tonumber(redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES')[2])
local holds = {}
local packed = redis.call('HGETALL', HOLDS)
for i = 1, #packed, 2 do
  local held = cmsgpack.unpack(packed[i + 1])
  holds[#holds + 1] = {packed[i], whole(held.since), whole(held['until']), held.reason}
end
return {
  redis.call('HGETALL', COUNTS), redis.call('ZCARD', DUE), redis.call('ZCARD', FLIGHTS),
  redis.call('ZCARD', SCHEDULED), redis.call('XLEN', RECEIPTS), first and math.max(0, now - first) or 0, holds,
}
