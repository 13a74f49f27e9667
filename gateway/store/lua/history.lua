-- Takes the account's own messages that NapCat lists in a chat as evidence for one unknown attempt; safe to repeat.
-- include: attempts
-- ARGV  1 keep (ms)  2 receipts stream length  3 job  4 whether a listed message counts as delivered (0 or 1)
--       5 number of messages, oldest first, then for each 3 fields: message id, time (s), fingerprint;
--       last: 'bodies' or ''
-- Steps the oldest message that has the fingerprint of the job's current part, is not older than its first attempt and
--       is not known to be another job's is this one's. Equal texts are told apart by their number: each message
--       belongs to one job. Failed sends are listed too, so it only forbids another send, unless it is trusted.
-- Reply {outcome, ended}: settled (nothing is open any more) | absent | listed | delivered

KEEP, LENGTH = tonumber(ARGV[1]), tonumber(ARGV[2])
local SKEW = 5000 -- the clock of QQ may be behind Redis' by this much
local job, trusted = load(ARGV[3]), ARGV[4] == '1'
if not job or job.state ~= 'unknown' then return {'settled', ENDED} end

write_though_full()

local taken = {}
each_unsettled(job.target, function(other)
  if other.row and other.id ~= job.id then taken[other.row] = true end
end)

local function listed()
  local wanted, since = parts_of(job)[job.done + 1][5], tried_since(job)
  for i = 6, 5 + 3 * tonumber(ARGV[5]), 3 do
    local message_id, at = tonumber(ARGV[i]), tonumber(ARGV[i + 1]) * 1000 + 999
    if ARGV[i + 2] == wanted and at + SKEW >= since and at - 999 <= now + SKEW and not taken[message_id]
      and not answered_by(job.target, message_id) then
      return message_id
    end
  end
end

job.looked, job.row = true, job.row or listed()
if job.row and trusted then
  delivered(job, job.row, 'history')
  return written({'delivered', ENDED})
end
if job.row then redis.call('ZADD', LOOKS, job.settle_by, job.id) end
save(job)
return {job.row and 'listed' or 'absent', ENDED}
