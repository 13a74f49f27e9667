-- Reads the public receipt of one job, with what it waits for; writes nothing.
-- include: account
-- ARGV  1 job id, or ""  2 idempotency key, or ""
-- Reply the receipt as JSON, or nil when there is no such job

local id = ARGV[1]
if id == '' then id = string.match(redis.call('GET', KEY .. ARGV[2]) or '', '^%S+') end
local job = id and load(id)
if not job then return nil end
if job.state == 'unknown' then return receipt(job, {eta = job.settle_by}) end
if job.state ~= 'queued' then return receipt(job) end

local function waiting(reason, eta) return receipt(job, {state = 'waiting', reason = reason, eta = eta}) end

local scheduled = tonumber(redis.call('ZSCORE', SCHEDULED, scheduled_as(job)))
if scheduled then return waiting('scheduled', scheduled) end
if job.requester and redis.call('ZSCORE', ASIDE .. aside_of(job), id) then
  return waiting('rate_limited', tonumber(redis.call('ZSCORE', SCHEDULED, 'aside:' .. aside_of(job))))
end
local paused, parked = paused_until(), hold_of(job.target)
if paused then return waiting('paused', paused) end
if parked and parked['until'] > now then return waiting('parked', parked['until']) end
if redis.call('ZRANGE', LANE .. job.target, 0, 0)[1] ~= id then return waiting('behind') end
local due = tonumber(redis.call('ZSCORE', DUE, job.target))
if due and due > now then return waiting(#job.attempts > 0 and 'retry' or 'rate_limited', due) end
return receipt(job)
