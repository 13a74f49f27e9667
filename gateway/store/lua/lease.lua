-- Takes, renews or gives back the lease of a source's one reader; safe to repeat.
-- KEYS  1 lease
-- ARGV  1 token of the asker  2 length (ms); 0 gives the lease back
-- Reply 1 when the asker holds the lease now, else 0

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if tonumber(ARGV[2]) == 0 then
  redis.call('DEL', KEYS[1])
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
