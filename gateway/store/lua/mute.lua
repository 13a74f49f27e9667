-- Takes what NapCat says of the account's mute in a group that is parked for being muted; safe to repeat.
-- include: lanes
-- ARGV  1 target  2 when its mute ends (ms), 0: it says of none
-- Steps a park lasts until the mute ends; where NapCat knows of none it is the group that is mute, or no longer, and the
--       park ends soon. What was let go meanwhile stays let go, and what an operator holds stays held.
-- Reply until when it is parked now (ms), 0 when it is not

local SOON = 600000
local target, ends = ARGV[1], tonumber(ARGV[2])
local held = hold_of(target)
local park = held and held.operator and held.under or held
if not park or park.operator or park.reason ~= 'muted' or park['until'] <= now then return '0' end

write_though_full()
park['until'] = ends > now and ends or math.min(park['until'], now + SOON)
keep_hold(target, held)
if not noted_down(FLIGHTS, target) then turn(target, now) end
return written(whole(park['until']))
