-- How many calls may begin now: what is in flight already, a pause, and the trial after one.
-- include: tick/state

local room_now
do

local PROBE = 15000 -- ms a replica has to find out whether the account works, before another may try
local TRIAL = 10000 -- ms after which a trial is over that went well as far as it went

-- How many may be claimed; if none because of a pause, when to look again, and when the pause is to end by itself; and
-- whether this replica is to ask NapCat.
function room_now()
  local paused, probe = hold_of('account'), 0
  if paused and paused.operator and paused['until'] <= now then paused = outlast('account', paused) end
  local factor = factor_of('account')
  local most = factor > 1 and math.max(1, floor(most_flights / factor)) or most_flights
  if paused and paused['until'] > now then
    return 0, paused['until'], not paused.operator and paused['until'] or nil, probe
  end
  local tried = paused and paused.trial and paused.tried + TRIAL <= now
  if tried and (paused.trial > 1 or not paused.used) then
    redis.call('HDEL', HOLDS, 'account')
    note('resumed', 'account', paused.reason)
  elseif paused and paused.trial then
    most = math.min(most, paused.trial)
  elseif paused then
    -- A full replica has no time to ask; it looks again when a call ends.
    if (paused.probing or 0) <= now and most_claims == 0 then return 0, nil, nil, probe end
    if (paused.probing or 0) <= now then
      paused.probing, probe = now + PROBE, 1
      keep_hold('account', paused)
    end
    return 0, paused.probing, paused.probing, probe
  end
  return math.min(most_claims, most - flights), nil, nil, probe
end

end

-- A trial in which something was sent needs an answer to end.
local function use_trial()
  local paused = hold_of('account')
  if not paused or not paused.trial or paused.used then return end
  paused.used = true
  keep_hold('account', paused)
end
