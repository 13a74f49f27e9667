-- Ends a callback that was handed out, or puts it off; safe to repeat.
-- include: callbacks, records
-- ARGV  1 job  2 host  3 state that was told  4 end of its lease (ms)  5 posted | again | given_up | back
--       6 wait until it is posted again (ms)
-- Steps one that was handed out anew since, or whose job was corrected, is nobody's to settle here; `again` counts a
--       failed post, `back` does not: another replica may take it at once.
-- Reply whether it was settled (0 or 1)

local id, host, settlement = ARGV[1], ARGV[2], ARGV[5]
if tonumber(redis.call('ZSCORE', RECEIVER .. host, id)) ~= tonumber(ARGV[4]) then return 0 end
local job = load(id)
if job and job.state ~= ARGV[3] then return 0 end

write_though_full()

if job and settlement == 'again' then
  job.posts = (job.posts or 0) + 1
  rewrite(job)
  redis.call('ZADD', RECEIVER .. host, now + tonumber(ARGV[6]), id)
elseif job and settlement == 'back' then
  redis.call('ZADD', RECEIVER .. host, now, id)
else
  forget_callback(id, host)
  if settlement ~= 'posted' then count_given_up() end
end
receiver_turn(host)
return 1
