-- Reads the public receipt of one job, with what it waits for; writes nothing.
-- include: shown, receipts
-- ARGV  1 job id, or ""  2 idempotency key, or ""
-- Reply the receipt as JSON, or nil when there is no such job

local job = find(ARGV[1], ARGV[2])
return job and receipt(job, shown(job))
