-- The format of an account's data, and how records come from one to the next: see gateway/store/format.py, which says
-- what FORMAT is, the newest one that is known here.
-- Data of a newer format are neither read nor written: a script that meets them does nothing and says NEWERDATA.

local BEGUN = redis.call('HMGET', KEYS[5], 'format', 'lapse') -- `lapse` is for the tick, which asks for it anyway
local LAYOUT = tonumber(BEGUN[1] or 1) or math.huge -- the format of this account; the first one is not written down
if LAYOUT > FORMAT then return redis.error_reply('NEWERDATA ' .. BEGUN[1]) end

local pack_record, unpack_record
do

-- CASTS[n] makes of a record of format n-1 one of format n (`up`), and of one of n one of n-1 again (`down`). Scripts know
-- records of the newest format only; they are written in the account's own, which is raised when every replica knows it.
local CASTS = {}

function pack_record(job)
  if FORMAT == 1 then return cmsgpack.pack(job) end
  for n = FORMAT, LAYOUT + 1, -1 do CASTS[n].down(job) end
  job.v = LAYOUT > 1 and LAYOUT or nil
  local packed = cmsgpack.pack(job)
  job.v = nil
  for n = LAYOUT + 1, FORMAT do CASTS[n].up(job) end
  return packed
end

-- The record in PACKED, and where what stands behind it begins (-1: nothing does), as unpack_one says it.
function unpack_record(packed)
  local behind, job = cmsgpack.unpack_one(packed)
  local version = job.v or 1
  if version == FORMAT and FORMAT == 1 then return behind, job end
  if version > FORMAT then error('NEWERDATA ' .. version) end
  for n = version + 1, FORMAT do CASTS[n].up(job) end
  job.v = nil
  return behind, job
end

end
