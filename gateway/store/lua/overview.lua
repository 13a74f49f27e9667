-- Counts what an account holds right now; writes nothing.
-- include: account
-- ARGV  none
-- Reply {counts (name, number, …), lanes due, in flight, scheduled, receipts, overdue (ms the longest-waiting lane is
--       past its turn), holds, slowed, unmatched, breaker (closed | open | half_open), number logged in or "",
--       callbacks waiting, age of the oldest (ms)}
--       hold: {name, since (ms), until (ms), reason}
--       slowed: {name, since (ms), until (ms), reason, factor}
--       unmatched: {fingerprint, count, since (ms), last (ms), retcode or "", last job}

local first = tonumber(redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES')[2])
local holds = {}
local packed = redis.call('HGETALL', HOLDS)
for i = 1, #packed, 2 do
  local held = cmsgpack.unpack(packed[i + 1])
  -- A pause lasts until the account is on trial; a target's hold that ran out only says how long the next one lasts.
  if packed[i] == 'account' and not held.trial or held['until'] > now then
    holds[#holds + 1] = {packed[i], whole(held.since), whole(held['until']), held.reason}
  end
end

local slowed, slows = {}, redis.call('HGETALL', SLOWED)
for i = 1, #slows, 2 do
  local entry = cmsgpack.unpack(slows[i + 1])
  slowed[#slowed + 1] = {slows[i], whole(entry.since), whole(entry['until']), entry.reason, whole(entry.factor)}
end

local unmatched, answers = {}, redis.call('HGETALL', UNMATCHED)
for i = 1, #answers, 2 do
  local entry = cmsgpack.unpack(answers[i + 1])
  local retcode = entry.retcode and whole(entry.retcode) or ''
  unmatched[#unmatched + 1] = {answers[i], entry.count, whole(entry.since), whole(entry.last), retcode, entry.job}
end

local oldest = redis.call('ZRANGE', CALLBACKS, 0, 0, 'WITHSCORES')[2]
local paused = hold_of('account')
local by_operator = paused and paused.operator and paused['until'] > now
local breaker = (not paused or by_operator) and 'closed' or paused.trial and 'half_open' or 'open'
return {
  redis.call('HGETALL', COUNTS), redis.call('ZCARD', DUE), redis.call('ZCARD', FLIGHTS),
  redis.call('ZCARD', SCHEDULED), redis.call('XLEN', RECEIPTS), first and math.max(0, now - first) or 0, holds,
  slowed, unmatched, breaker, redis.call('GET', LOGIN) or '',
  redis.call('ZCARD', CALLBACKS), oldest and math.max(0, now - oldest) or 0,
}
