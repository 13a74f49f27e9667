-- What unknown jobs and muted targets wait for: looks, and the end of settling.
-- include: tick/state

-- An unknown job whose time for settling is over: sent again only where its producer chose that and the history does not
-- speak against it. When no look at the history was answered, say because NapCat was away, there is time for one more.
local function give_up_settling(job)
  redis.call('ZREM', LOOKS, job.id)
  if not job.row and not job.looked and not job.granted and SETTLE_FOR > 0 then
    job.granted, job.settle_by = true, floor(now + last_look())
    redis.call('ZADD', LOOKS, now, job.id)
    return save(job)
  end
  if job.row then job.evidence = 'history' end
  local resend = (job.on_unknown or on_unknown) == 'resend' and job.retries < most_retries and not job.row
  if not resend then return finish(job, 'unconfirmed', job.code) end
  job.state, job.retries = 'queued', job.retries + 1
  settled(job)
  save(job)
end

local due_looks
do

local function still_muted(name)
  local held = hold_of(name)
  if held and held.operator then held = held.under end
  return held and held.reason == 'muted' and held['until'] > now
end

-- What unknown jobs wait for: a look at the history, soon and once more late; then the end of settling, which neither a
-- paused account nor a parked target delays. Returns the looks that are due: {job, target} each.
function due_looks()
  local looks = {}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', LOOKS, '-inf', now, 'LIMIT', 0, 16)) do
    local target = id:sub(1, #MUTED) == MUTED and id:sub(#MUTED + 1)
    local job = not target and load(id)
    if target and still_muted(target) then
      ask_about_mute(target, now + ASK_AGAIN)
      looks[#looks + 1] = {'', target}
    elseif not job or job.state ~= 'unknown' then
      redis.call('ZREM', LOOKS, id)
    elseif job.settle_by <= now then
      give_up_settling(job)
      turn(job.target, now)
    else
      local last = floor(job.settle_by - last_look())
      redis.call('ZADD', LOOKS, now < last and last or job.settle_by, id)
      looks[#looks + 1] = {id, job.target}
    end
  end
  return looks
end

end
