-- What scripts share that pace: the rates that count for a target right now, slowing included, and their windows.
-- include: holds
-- Each script that includes this calls read_limits, or remember_limits and recover, before anything else of it.
-- Limits come as JSON: {account, group, private, requester: [[count, period ms]…], observe: {scope: true…},
-- overrides: [[lua pattern, rates, observe]…]}

local limits

-- Since when another master answers, which may not know of all that was sent: from then on every window counts as full.
local full_since

-- Slowed ------------------------------------------------------------------------------------------------------------

-- By how much the rates of a target, or of the account, are slowed: each time twice as much, and half as much again
-- after each time without.
local SLOWEST = 8
local slowed, recovers = {}, nil -- entries by name (false: it is not slowed), and when the first of all gets faster

local function read_slowed() recovers = tonumber(redis.call('HGET', COUNTS, 'recovers') or nil) end

-- Let those get faster whose time it is. Only then all of them are looked at, since there may be one for every target.
local function recover()
  read_slowed()
  if not recovers or recovers > now then return end
  recovers = nil
  local packed = redis.call('HGETALL', SLOWED)
  for i = 1, #packed, 2 do
    local name, entry = packed[i], cmsgpack.unpack(packed[i + 1])
    local before = entry.factor
    while entry['until'] <= now and entry.factor > 1 do
      entry.factor, entry['until'] = entry.factor / 2, entry['until'] + entry.step
    end
    if entry.factor == 1 then
      redis.call('HDEL', SLOWED, name)
      note('recovered', name, entry.reason)
    else
      if entry.factor < before then redis.call('HSET', SLOWED, name, cmsgpack.pack(entry)) end
      recovers = math.min(recovers or math.huge, entry['until'])
    end
  end
  keep_time('recovers', recovers)
end

local function slowed_of(name)
  if slowed[name] == nil then
    local packed = recovers and redis.call('HGET', SLOWED, name)
    slowed[name] = packed and cmsgpack.unpack(packed)
  end
  return slowed[name]
end

local function factor_of(scope) return slowed_of(scope) and slowed[scope].factor or 1 end

local function slow(name, ms, reason)
  local entry = slowed_of(name)
  if not entry then
    entry = {factor = 1, since = now}
    -- The stamps in the windows count for longer than when they were kept.
    local left = redis.call('PTTL', RATE .. name)
    if left > 0 then redis.call('PEXPIRE', RATE .. name, left * SLOWEST) end
  end
  entry.factor, entry['until'] = math.min(SLOWEST, entry.factor * 2), now + ms
  entry.step, entry.reason, entry.at = ms, reason, now
  slowed[name], recovers = entry, math.min(recovers or math.huge, entry['until'])
  redis.call('HSET', SLOWED, name, cmsgpack.pack(entry))
  keep_time('recovers', recovers)
  note('slowed', name, reason, entry['until'])
end

-- Rates ---------------------------------------------------------------------------------------------------------------

-- What QQ asks of those who send too often to one target (result 241): to leave this much time between two messages.
local SLOWED_TARGET = {1, 1100}

local function rates_for(target, given)
  given = given or limits
  for _, override in ipairs(given.overrides) do
    if string.match(target, override[1]) then return override[2], override[3] end
  end
  local kind = string.find(target, 'group:', 1, true) and 'group' or 'private'
  return given[kind], given.observe[kind]
end

-- The rates of TARGET as they count right now, and whether they are only observed.
local function rates_now(target)
  local rates, observed = rates_for(target)
  if not slowed_of(target) then return rates, observed end
  local slower = {SLOWED_TARGET}
  if not observed then
    for _, rate in ipairs(rates) do slower[#slower + 1] = rate end
  end
  return slower, nil
end

local function most_of(rates)
  local most = 0
  for _, rate in ipairs(rates) do most = math.max(most, rate[1]) end
  return most
end

-- Under the limits before these a scope kept as many stamps as their largest count (those up to LAST_TOKEN). Sends beyond
-- that are forgotten, but none is younger than the oldest that is kept: a rate that counts further back waits for it.
local before, changed_at, last_token

local function read_limits(packed)
  limits = cjson.decode(packed)
  local known = redis.call('HMGET', LIMITS, 'now', 'since', 'before', 'token', 'full')
  if known[1] == packed then changed_at, before, last_token = tonumber(known[2]), known[3], tonumber(known[4]) end
  full_since = tonumber(known[5] or nil)
  return known[1]
end

local function remember_limits(packed)
  local last = read_limits(packed)
  if last == packed then return end
  if last then
    changed_at, before, last_token = now, last, tonumber(redis.call('HGET', COUNTS, 'token') or 0)
    redis.call('HSET', LIMITS, 'now', packed, 'since', whole(now), 'before', before, 'token', whole(last_token))
    redis.call('HSET', LIMITS, 'unconsidered', 1) -- what waits, may wait for instants that others set: reconsider.lua
  else
    redis.call('HSET', LIMITS, 'now', packed)
  end
end

local function forgotten_until(scope, rate)
  if not changed_at or changed_at + rate[2] < now then return 0 end
  if type(before) == 'string' then before = cjson.decode(before) end
  local old = before[scope] or scope:find('^requester:') and before.requester or rates_for(scope, before)
  write_places(RATE .. scope)
  local stamps, kept = redis.call('ZRANGE', RATE .. scope, 0, -1, 'WITHSCORES'), 0
  for i = 1, #stamps, 2 do
    if tonumber(stamps[i]) <= last_token then kept = kept + 1 end
  end
  if kept == 0 or kept < most_of(old) then return 0 end
  local oldest = tonumber(stamps[2])
  return (oldest == math.huge and now or oldest) + rate[2]
end

-- When one more send fits all RATES of SCOPE: its COUNT-th last send must have been answered a period ago; one that is
-- still open will be answered now at the earliest. OPEN: how many such there are that are in no window.
local function opens_at(scope, rates, open)
  local at, factor = 0, factor_of(scope)
  local key = RATE .. scope
  if placed[key] then write_places(key) end
  for _, rate in ipairs(rates) do
    if full_since then at = math.max(at, full_since + rate[2] * factor) end
    local rank = rate[1] - 1 - (open or 0)
    local nth = rank < 0 and math.huge or redis.call('ZREVRANGE', key, rank, rank, 'WITHSCORES')[2]
    if nth then
      local answered = tonumber(nth)
      at = math.max(at, (answered == math.huge and now or answered) + rate[2] * factor)
    elseif changed_at then
      at = math.max(at, forgotten_until(scope, rate))
    end
  end
  return at
end

-- When a send to TARGET fits; an observed rate holds nothing up.
local function target_opens(target)
  local rates, observed = rates_now(target)
  return observed and 0 or opens_at(target, rates)
end

local function account_opens(open) return limits.observe.account and 0 or opens_at('account', limits.account, open) end

-- How full the windows of SCOPE are: {count, period (ms, as slowed), sends counted, when one more fits (ms)} a rate.
local function windows_of(scope, rates, open)
  local windows, factor = {}, factor_of(scope)
  for i, rate in ipairs(rates) do
    local period = rate[2] * factor
    local used = redis.call('ZCOUNT', RATE .. scope, '(' .. whole(now - period), '+inf') + (open or 0)
    if full_since and full_since + period > now then used = rate[1] end
    windows[i] = {rate[1], whole(period), used, whole(math.max(now, opens_at(scope, {rate}, open)))}
  end
  return windows
end

-- The window of SCOPE keeps as many sends as its RATES count, for as long as they count them and a call of LEASE ms may
-- last; for 15 s at least, for limits that are made longer.
local function keep_window(scope, rates, lease)
  local longest = 15000
  for _, rate in ipairs(rates) do longest = math.max(longest, rate[2]) end
  local key, period = RATE .. scope, longest * (slowed_of(scope) and SLOWEST or 1) + lease
  redis.call('ZREMRANGEBYRANK', key, 0, -most_of(rates) - 1)
  -- Twice as long as needed, so that it need not be said with each send.
  if redis.call('PTTL', key) < period then redis.call('PEXPIRE', key, 2 * period) end
end

-- Count a send that an OBSERVED rate of SCOPE would have delayed, while OPEN others are in no window.
local function observe(scope, rates, observed, open)
  if observed and opens_at(scope, rates, open) > now then
    count(COUNTS, 'observed:' .. string.match(scope, '^%a+'), 1)
  end
end
