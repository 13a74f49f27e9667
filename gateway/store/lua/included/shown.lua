-- What a reader is shown of a job beside its record: what it waits for, and until when as far as that is known.
-- include: lanes

local function waiting(reason, eta) return {state = 'waiting', reason = reason, eta = eta} end

-- What the jobs of TARGET wait for that are not for later, where their account or it is on hold; nil where neither is.
local function on_hold(target)
  local paused, parked = paused_until(), hold_of(target)
  if paused then return waiting('paused', paused) end
  if parked and parked['until'] > now then return waiting('parked', parked['until']) end
end

-- State, reason and eta (ms) that stand in the receipt of JOB instead of those in its record; nil: none do.
local function shown(job)
  if job.state == 'unknown' then return {eta = job.settle_by} end
  if job.state ~= 'queued' then return nil end
  local scheduled = tonumber(redis.call('ZSCORE', SCHEDULED, scheduled_as(job)))
  if scheduled then return waiting('scheduled', scheduled) end
  if job.requester and redis.call('ZSCORE', ASIDE .. aside_of(job), job.id) then
    return waiting('rate_limited', tonumber(redis.call('ZSCORE', SCHEDULED, 'aside:' .. aside_of(job))))
  end
  local held = on_hold(job.target)
  if held then return held end
  if first_of(job.target) ~= job.id then return waiting('behind') end
  local due = tonumber(redis.call('ZSCORE', DUE, job.target))
  if due and due > now then return waiting(#job.attempts > 0 and 'retry' or 'rate_limited', due) end
  -- A lane that may go, but for the rate of the whole account: until when that held up others, the last tick knows.
  local opens = due and tonumber(redis.call('HGET', COUNTS, 'opens') or nil)
  if opens and opens > now then return waiting('rate_limited', opens) end
end
