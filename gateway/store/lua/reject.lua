-- Ends the jobs that wait in one lane, because nothing can be sent there any more; safe to repeat.
-- include: ends
-- ARGV  1 keep (ms)  2 receipts stream length  3 target  4 code  5 most jobs looked at  6 'bodies' or ''
-- Steps jobs of which something may have been sent, or is being sent, stay: their own answer tells.
-- Reply {ended}; fewer than looked at: no more can be ended

KEEP, LENGTH = tonumber(ARGV[1]), tonumber(ARGV[2])
local target, most = ARGV[3], tonumber(ARGV[5])
local lane = redis.call('ZRANGE', LANE .. target, -most, -1)
for _, id in ipairs(lane) do
  local job = load(id)
  if job and unsent(job) then finish(job, 'rejected', ARGV[4]) end
end
if not noted_down(FLIGHTS, target) then turn(target, now) end
return written({ENDED})
