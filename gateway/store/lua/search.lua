-- Finds jobs, newest or oldest first; looks at a bounded part of an index, to be called again from where it stopped;
-- writes nothing.
-- include: shown, receipts
-- ARGV  1 index | letters (of what ended undelivered, newest end first)  2 where to begin: "+" (the newest), "-"
--       (the oldest), an entry's id, or "(" and an entry's id: behind it  3 most jobs found
--       4 states, parted by blanks ("": any)  5 target ("": any)
--       6, 7 updated not before, not after (ms; "": any)  8 Lua patterns of which the target fits one (JSON; "": any)
--       9 whether only jobs are meant that were not replayed (0 or 1)  10 oldest first (0 or 1)
-- Reply {where it stopped ("": at the end), found}
--       found: {id of its entry, job, receipt as JSON, without attempts}

local MOST, MOST_BYTES = 64, 262144 -- records looked at, and what they weigh: bounds the time Redis is held
local index, begin, most = ARGV[1] == 'letters' and LETTERS or INDEX, ARGV[2], tonumber(ARGV[3])
local states, target = ARGV[4] ~= '' and ' ' .. ARGV[4] .. ' ', ARGV[5]
local since, till = tonumber(ARGV[6]) or 0, tonumber(ARGV[7]) or math.huge
local patterns, unreplayed = ARGV[8] ~= '' and cjson.decode(ARGV[8]) or nil, ARGV[9] == '1'

local function within_reach(job)
  if not patterns then return true end
  for _, pattern in ipairs(patterns) do
    if string.match(job.target, pattern) then return true end
  end
  return false
end

-- What JOB is shown as, if it is one that is looked for; else nil.
local function fits(job)
  if target ~= '' and job.target ~= target or not within_reach(job) then return nil end
  if updated_of(job) < since or updated_of(job) > till or unreplayed and job.replayed then return nil end
  local seen = shown(job) or {}
  if states and not states:find(' ' .. (seen.state or job.state) .. ' ', 1, true) then return nil end
  return seen
end

local found, weight = {}, 0
local forward = ARGV[10] == '1'
local entries = redis.call(forward and 'XRANGE' or 'XREVRANGE', index, begin, forward and '+' or '-', 'COUNT', MOST)
for i, entry in ipairs(entries) do
  local job, size = load(entry[2][2])
  weight = weight + (size or 0)
  -- One is looked at in any case, however heavy it is.
  if i > 1 and weight > MOST_BYTES then return {entries[i - 1][1], found} end
  local seen = job and fits(job)
  if seen then found[#found + 1] = {entry[1], job.id, receipt(job, seen, true)} end
  if #found == most then return {entry[1], found} end
end
return {#entries == MOST and entries[MOST][1] or '', found}
