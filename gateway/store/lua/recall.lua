-- Notes that a message was taken back, in the record of the job it belonged to; safe to repeat.
-- include: records
-- ARGV  1 target  2 message id
-- Steps the job counts as taken back when all its messages are.
-- Reply the job's id, or nil when the message is not known to be ours

local id = answered_by(ARGV[1], tonumber(ARGV[2]))
local job = id and load(id)
if not job then return nil end
job.withdrawn = job.withdrawn or {}
if not job.withdrawn[ARGV[2]] then
  write_though_full()
  job.withdrawn[ARGV[2]] = true
  local all = true
  for _, message_id in ipairs(job.message_ids) do all = all and job.withdrawn[whole(message_id)] end
  job.recalled, job.updated = all and now or nil, now
  rewrite(job)
end
return id
