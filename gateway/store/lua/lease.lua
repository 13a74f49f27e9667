-- Takes, renews or gives back a lease that one replica at a time holds; safe to repeat.
-- KEYS  1 lease
-- ARGV  1 token of the asker  2 length (ms); 0 gives the lease back
-- Reply 1 when the asker holds the lease now, else 0

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
-- A first write that needs no memory, as in the tick: events are evidence, and are heard also when Redis is full.
redis.call('DEL', KEYS[1])
if tonumber(ARGV[2]) == 0 then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
