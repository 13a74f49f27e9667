-- Resets the mark of one source, if it is still the one that was found stale; safe to repeat.
-- include: account
-- ARGV  1 source  2 the stale mark
-- Reply 1 when it was reset, 0 when it had changed

if redis.call('HGET', MARKS, ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('HDEL', MARKS, ARGV[1])
