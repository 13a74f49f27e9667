-- Tells whose a message is that this gateway sent today or yesterday; writes nothing.
-- include: records
-- ARGV  1 message id
-- Reply {target, job, whether it was taken back (0 or 1)}; nil when it is not known to be ours

local target, id = whose(tonumber(ARGV[1]))
local job = id and load(id)
if not job then return nil end
return {target, id, job.withdrawn and job.withdrawn[ARGV[1]] and 1 or 0}
