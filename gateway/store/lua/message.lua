-- Reads what one job says; writes nothing.
-- include: account
-- ARGV  1 job id, or ""  2 idempotency key, or ""
-- Reply {job id, target, parts delivered, then action and body of each part}; nil when there is no such job. No parts
--       are there of a job that was delivered, or sent again.

local id = ARGV[1]
if id == '' then id = string.match(redis.call('GET', KEY .. ARGV[2]) or '', '^%S+') end
local job = id and load(id)
if not job then return nil end
local told = {job.id, job.target, job.done}
for _, part in ipairs(parts_of(job)) do
  told[#told + 1] = part[1]
  told[#told + 1] = part[2]
end
return told
