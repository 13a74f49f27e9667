-- Takes what asking NapCat brought: whether the account works; safe to repeat.
-- include: holds
-- ARGV  1 why the account does not work; "": it does  2 how long it is then paused (ms; it doubles from pause to pause)
--       3 the QQ number that is logged in, "" when not known  4 the number it has to be; "": the one seen first
-- Steps another number than before is a reason to pause; a pause that has run out ends with a trial when all is well.
-- Reply {state, expected number, until (ms)}: fine | trial | paused | wrong_account

local WRONG_ACCOUNT = 30000 -- ms until the next look when somebody else is logged in
local reason, milliseconds, number, expected = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]

-- While an account is paused its jobs fill Redis: what ends the pause must not wait for room.
write_though_full()

if expected == '' then expected = redis.call('GET', LOGIN) or number end
if number ~= '' and expected == number then redis.call('SET', LOGIN, number) end
local wrong = number ~= '' and expected ~= number
if wrong then reason, milliseconds = 'wrong_account', WRONG_ACCOUNT end
if reason ~= '' then
  return {wrong and 'wrong_account' or 'paused', expected, whole(hold('account', milliseconds, reason))}
end

local paused = hold_of('account')
if not paused or paused.operator or paused['until'] > now or paused.trial then return {'fine', expected, '0'} end
paused.trial, paused.tried, paused.probing = 1, now, nil
keep_hold('account', paused)
return {'trial', expected, '0'}
