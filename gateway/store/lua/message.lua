-- Reads what one job says; writes nothing.
-- include: records
-- ARGV  1 job id, or ""  2 idempotency key, or ""
-- Reply {job id, target, parts delivered, then action and body of each part}; nil when there is no such job. No parts
--       are there of a job that was delivered, or sent again.

local job = find(ARGV[1], ARGV[2])
if not job then return nil end
local told = {job.id, job.target, job.done}
for _, part in ipairs(parts_of(job)) do
  told[#told + 1] = part[1]
  told[#told + 1] = part[2]
end
return told
