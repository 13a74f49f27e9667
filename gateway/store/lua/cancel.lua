-- Cancels one job, if nothing of it may have been sent; safe to repeat.
-- include: ends
-- ARGV  1 job id  2 keep (ms)  3 receipts stream length  4 'bodies' or ''
-- Reply {outcome, state, target, ended}: cancelled | too_late (state says how far it is); nil when there is no such job

KEEP, LENGTH = tonumber(ARGV[2]), tonumber(ARGV[3])
local job = load(ARGV[1])
if not job then return nil end
if job.state == 'cancelled' then return {'cancelled', job.state, job.target, ENDED} end
if not unsent(job) then return {'too_late', job.state, job.target, ENDED} end
withdraw(job, 'cancelled')
return written({'cancelled', job.state, job.target, ENDED})
