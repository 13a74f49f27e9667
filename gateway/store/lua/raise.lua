-- Raises the data of an account to the newest format known here, which is for when every replica knows it; safe to repeat.
-- include: account
-- ARGV  none
-- Steps what a new format asks of the account's keys is done here, at once; records are written anew one by one, later.
-- Reply the format the data are of now

local STEPS = {} -- by format: what makes of the keys of the one before those of this one

for n = LAYOUT + 1, FORMAT do
  if STEPS[n] then STEPS[n]() end
end
if LAYOUT < FORMAT then redis.call('HSET', COUNTS, 'format', FORMAT) end
return FORMAT
