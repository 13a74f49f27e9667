-- NapCat keeps one file for equal media and may delete it under a second send (#535, #764): of the sends of one medium
-- on one account, one is in flight, and the lanes of the others are blocked.
-- include: lanes

local take_media, release_media, blocked
do

local WOKEN = 8 -- lanes that may go when a medium is free: the first takes it, unless something else holds it up
local LOOK_AGAIN = 1000 -- ms after which a blocked lane looks by itself, should it not be woken

local function media_of(job, part) return string.gmatch(job.media[part] or '', '%S+') end

function take_media(job, part, token)
  if not job.media then return end
  for digest in media_of(job, part) do
    redis.call('HSET', MEDIA, digest, whole(token))
    redis.call('ZREM', BLOCKED .. digest, job.target)
  end
end

function release_media(job, attempt)
  if not job.media then return end
  for digest in media_of(job, attempt.part + 1) do
    if redis.call('HGET', MEDIA, digest) == whole(attempt.token) then
      redis.call('HDEL', MEDIA, digest)
      local woken = redis.call('ZPOPMIN', BLOCKED .. digest, WOKEN)
      for i = 1, #woken, 2 do
        if score_of(DUE, woken[i]) then put(DUE, woken[i], woken[i + 1]) end
      end
    end
  end
end

-- Whether a medium of JOB is being sent right now; its lane, which may go since DUE_SINCE, is then blocked.
function blocked(job, due_since)
  if not job.media then return false end
  for digest in media_of(job, job.done + 1) do
    if redis.call('HEXISTS', MEDIA, digest) == 1 then
      redis.call('ZADD', BLOCKED .. digest, 'NX', due_since, job.target)
      redis.call('PEXPIRE', BLOCKED .. digest, 3600000)
      put(DUE, job.target, now + LOOK_AGAIN)
      return true
    end
  end
  return false
end

end
