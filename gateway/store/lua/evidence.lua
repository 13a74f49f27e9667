-- Credits a message that NapCat reports as sent to the one attempt nobody knew the fate of; safe to repeat.
-- include: account, attempts
-- ARGV  1 keep (ms)  2 receipts stream length  3 target  4 fingerprint  5 message id  6 time of the message (s)
-- Steps an id that was answered is no news; an equal attempt in flight remembers it, in case its answer stays away;
--       else the only equal unknown attempt that began before the message is delivered.
-- Reply {outcome, ended}: known | remembered | credited | unmatched | ambiguous

KEEP, LENGTH = tonumber(ARGV[1]), tonumber(ARGV[2])
local target, fingerprint, message_id, sent = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]) * 1000 + 999

if redis.call('HGET', ANSWERED, target) == whole(message_id) then return {'known', ENDED} end

local function equal(job)
  local attempt = job.attempts[#job.attempts]
  local part = attempt and job.parts and job.parts[attempt.part + 1]
  return part and part[5] == fingerprint and attempt.began <= sent and attempt
end

local id = redis.call('ZSCORE', FLIGHTS, target) and redis.call('ZRANGE', LANE .. target, 0, 0)[1]
local flying = id and load(id)
local attempt = flying and equal(flying)
if attempt and not attempt.verdict then
  attempt.seen = message_id
  save(flying)
  return {'remembered', ENDED}
end

local matches = {}
for _, unsettled in ipairs(redis.call('SMEMBERS', UNSETTLED .. target)) do
  local job = load(unsettled)
  if not job then
    redis.call('SREM', UNSETTLED .. target, unsettled)
  elseif (job.state == 'unknown' or job.state == 'unconfirmed') and equal(job) then
    matches[#matches + 1] = job
  end
end
if #matches ~= 1 then return {#matches == 0 and 'unmatched' or 'ambiguous', ENDED} end
delivered(matches[1], message_id, 'event')
return {'credited', ENDED}
