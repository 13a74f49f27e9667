-- What the scripts of callbacks share. A receiver is a host; each has its own queue, so that none waits for another.
-- include: account

-- The receiver HOST has its turn when its first callback is due, and now at the earliest: those that are due take turns,
-- however old what waits for them is.
local function receiver_turn(host)
  local first = redis.call('ZRANGE', RECEIVER .. host, 0, 0, 'WITHSCORES')[2]
  if first then
    redis.call('ZADD', RECEIVERS, math.max(tonumber(first), now), host)
  else
    redis.call('ZREM', RECEIVERS, host)
  end
end

local function forget_callback(id, host)
  redis.call('ZREM', CALLBACKS, id)
  redis.call('ZREM', RECEIVER .. host, id)
end

-- Those given up are counted from the first of a time in which no hour passed without one.
local function count_given_up()
  if tonumber(redis.call('HGET', COUNTS, 'given_up_at') or 0) + 3600000 < now then
    redis.call('HDEL', COUNTS, 'given_up')
  end
  redis.call('HINCRBY', COUNTS, 'given_up', 1)
  redis.call('HSET', COUNTS, 'given_up_at', whole(now))
end
