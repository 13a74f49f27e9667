-- Credits a message that NapCat reports as sent to the one attempt nobody knew the fate of; safe to repeat.
-- include: attempts
-- ARGV  1 keep (ms)  2 receipts stream length  3 target  4 fingerprint  5 message id  6 time of the message (s)
--       7 'bodies' or ''
-- Steps an id that was answered is no news; one the history showed for an attempt is that attempt's; an equal attempt in
--       flight, if it is the only equal one, remembers it, in case its answer stays away; else the only equal attempt
--       that is unknown, or waits to be repeated, is delivered.
-- Reply {outcome, ended}: known | remembered | credited | unmatched | ambiguous

KEEP, LENGTH = tonumber(ARGV[1]), tonumber(ARGV[2])
local target, fingerprint, message_id, sent = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]) * 1000 + 999
local SKEW = 5000 -- NapCat's clock may be behind Redis' by this much

if answered_by(target, message_id) then return {'known', ENDED} end

write_though_full()

local function equal(job)
  local attempt = job.attempts[#job.attempts]
  local part = attempt and parts_of(job)[attempt.part + 1]
  local since = part and part[5] == fingerprint and tried_since(job)
  local fits = since and since <= sent + SKEW and sent <= attempt.began + LATEST
  return fits and attempt
end

local matches, listed = {}, nil
each_unsettled(target, function(job)
  if (job.state == 'unknown' or job.state == 'unconfirmed') and equal(job) then
    matches[#matches + 1] = job
    if job.row == message_id then listed = job end
  end
end)
if listed then
  delivered(listed, message_id, 'event')
  return written({'credited', ENDED})
end

local head = first_of(target)
local current = head and load(head)
local attempt = current and equal(current)
if attempt and not attempt.verdict then
  if #matches > 0 then return {'ambiguous', ENDED} end
  attempt.seen = message_id
  save(current)
  return {'remembered', ENDED}
end
-- What stands between us and NapCat may have said "not sent" of a message that was.
if attempt and current.state == 'queued' and not attempt.retcode then matches[#matches + 1] = current end

if #matches ~= 1 then return {#matches == 0 and 'unmatched' or 'ambiguous', ENDED} end
delivered(matches[1], message_id, 'event')
return written({'credited', ENDED})
