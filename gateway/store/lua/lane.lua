-- Counts what one target holds right now, and how full its rates are; writes nothing.
-- include: rates
-- ARGV  1 target, or "account" for its windows alone  2 limits
-- Reply {jobs in its lane, in flight (0 or 1), when it may go next (ms) or "", hold or {}, slowed or {}, windows, observed
--       (0 or 1), windows of the account, observed (0 or 1)}
--       hold: {since (ms), until (ms), reason, by an operator (0 or 1)}
--       slowed: {since (ms), until (ms), reason, factor}
--       window: {count, period (ms), sends counted, when one more fits (ms)}

local target = ARGV[1]
read_limits(ARGV[2])
read_slowed()

local held, slow_down = hold_of(target), slowed_of(target)
local hold_now = held and held['until'] > now and
  {whole(held.since), whole(held['until']), held.reason, held.operator and 1 or 0}
local slowed_now = slow_down and
  {whole(slow_down.since), whole(slow_down['until']), slow_down.reason, whole(slow_down.factor)}
local due = redis.call('ZSCORE', DUE, target)
local open = redis.call('HEXISTS', FLIGHTS, target)
local rates, observed = {}, nil
if target ~= 'account' then rates, observed = rates_now(target) end
return {
  redis.call('ZCARD', LANE .. target), open, due and whole(tonumber(due)) or '',
  hold_now or {}, slowed_now or {}, windows_of(target, rates, open), observed and 1 or 0,
  windows_of('account', limits.account, redis.call('HLEN', FLIGHTS)), limits.observe.account and 1 or 0,
}
