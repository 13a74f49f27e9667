-- Reads the public receipt of one job, with what it waits for; writes nothing.
-- include: account, shown
-- ARGV  1 job id, or ""  2 idempotency key, or ""
-- Reply the receipt as JSON, or nil when there is no such job

local id = ARGV[1]
if id == '' then id = string.match(redis.call('GET', KEY .. ARGV[2]) or '', '^%S+') end
local job = id and load(id)
return job and receipt(job, shown(job))
