-- Writes down that a replica lives, and forgets those that have not said so for long; safe to repeat.
-- KEYS  1 replicas
-- ARGV  1 replica  2 what it tells of itself (JSON); "": it ends  3 how long it is remembered (ms)
-- Reply nothing

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- A first write that needs no memory, as in the tick: a full Redis is no reason to take a replica for dead.
redis.call('HDEL', KEYS[1], ARGV[1])
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %s', now, ARGV[2]))
end
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local seen = tonumber(string.match(all[i + 1], '^%d+ ') or 0) -- what no replica wrote goes too
  if seen + tonumber(ARGV[3]) < now then redis.call('HDEL', KEYS[1], all[i]) end
end
return nil
