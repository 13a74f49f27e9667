-- The public receipt of a job.
-- include: records

local receipt
do

-- Days to year, month and day after Howard Hinnant's civil_from_days: years begin in March.
local function date(days)
  local z = days + 719468
  local era = floor(z / 146097)
  local doe = z - era * 146097
  local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
  local mp = floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  return format('%04d-%02d-%02dT', yoe + era * 400 + (month <= 2 and 1 or 0), month,
    doy - floor((153 * mp + 2) / 5) + 1)
end

local dates = {}

local function rfc3339(ms)
  local days = floor(ms / 86400000)
  local left = ms - days * 86400000
  dates[days] = dates[days] or date(days)
  return '"' .. dates[days] .. format('%02d:%02d:%02d.%03dZ"', floor(left / 3600000), floor(left / 60000) % 60,
    floor(left / 1000) % 60, left % 1000)
end

-- Most members of the receipts of one script are the same ones: each is spelled once.
local members = {}

-- The member NAME of a JSON object as SPELL spells its VALUE; nothing, where there is none.
local function member(name, value, spell)
  if not value then return '' end
  local known = entry_of(members, name)
  local text = known[value]
  if not text then
    text = name .. spell(value)
    known[value] = text
  end
  return text
end

local function attempt_json(attempt)
  return member('{"n":', attempt.n, whole) .. member(',"part":', attempt.part, whole)
    .. member(',"began_at":', attempt.began, rfc3339) .. member(',"took_ms":', attempt.took, whole)
    .. member(',"http_status":', attempt.http, whole) .. member(',"retcode":', attempt.retcode, whole)
    .. member(',"result":', attempt.result, whole) .. member(',"verdict":', attempt.verdict, cjson.encode)
    .. member(',"rule":', attempt.rule, cjson.encode) .. member(',"text":', attempt.text, cjson.encode) .. '}'
end

local function list(items, spell)
  if #items == 1 then return spell(items[1]) end
  local texts = {}
  for i, item in ipairs(items) do texts[i] = spell(item) end
  return table.concat(texts, ',')
end

local ID, OF = '{"id":"' .. ACCOUNT .. '.', '","account":"' .. ACCOUNT .. '","target":"'

-- The public receipt of JOB as JSON; SHOWN may replace state and reason and add an eta (what a reader is told while
-- the job waits). A BRIEF one is without attempts.
function receipt(job, shown, brief)
  return ID .. job.id .. (job.key and '","key":' .. string.sub(cjson.encode(job.key), 1, -2) or '') .. OF .. job.target
    .. member('","state":', shown and shown.state or job.state, cjson.encode)
    .. member(',"reason":', shown and shown.reason or job.reason, cjson.encode)
    .. member(',"code":', job.code, cjson.encode) .. member(',"eta":', shown and shown.eta, rfc3339)
    .. member(',"created_at":', job.created, rfc3339)
    .. member(',"updated_at":', updated_of(job), rfc3339) .. member(',"ended_at":', job.ended, rfc3339)
    .. ',"message_ids":[' .. list(job.message_ids, whole) .. member('],"parts":{"total":', job.total, whole)
    .. member(',"delivered":', job.done, whole) .. '}'
    .. (brief and '' or ',"attempts":[' .. list(job.attempts, attempt_json) .. ']')
    .. member(',"evidence":', job.evidence, cjson.encode) .. (job.corrected and ',"corrected":true' or '')
    .. member(',"recalled_at":', job.recalled, rfc3339) .. member(',"replay_of":', job.replay_of, cjson.encode)
    .. (job.metadata and ',"metadata":' .. job.metadata or '') .. '}'
end

end
