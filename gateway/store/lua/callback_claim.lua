-- Hands callbacks that are due to one replica, until a lease lapses; safe to repeat: what was handed out in vain is handed
-- out again when its lease is over.
-- include: callbacks, receipts
-- ARGV  1 most callbacks  2 lease (ms)  3 most at once to one receiver  4 number of receivers this replica is posting to,
--       then for each: host, number under way
-- Reply {ms to the next turn (-1: none that this replica could take), whether a receiver with more to come is passed over
--       because this replica has enough under way there (0 or 1), callbacks, dropped}
--       callback: {job, host, url, state, failed posts so far, end of the lease (ms), receipt as JSON}
--       dropped: {job, host}, whose record is no longer kept

local most, lease, most_of_one, busy = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), {}
for i = 5, #ARGV, 2 do busy[ARGV[i]] = tonumber(ARGV[i + 1]) end

local callbacks, dropped = {}, {}

local function hand_out(id, host)
  local job = load(id)
  if not job or not job.callback then
    forget_callback(id, host)
    count_given_up()
    dropped[#dropped + 1] = {id, host}
    return
  end
  redis.call('ZADD', RECEIVER .. host, now + lease, id)
  busy[host] = (busy[host] or 0) + 1
  local url = string.match(job.callback, '^%S+ (.*)$')
  callbacks[#callbacks + 1] = {id, host, url, job.state, job.posts or 0, whole(now + lease), receipt(job)}
end

-- As many receivers are looked at as there can be busy ones, and free ones to be handed out.
local looked = tonumber(ARGV[4]) + most
local crowded = 0
for _, host in ipairs(redis.call('ZRANGEBYSCORE', RECEIVERS, '-inf', now, 'LIMIT', 0, looked)) do
  local room = math.min(most_of_one - (busy[host] or 0), most - #callbacks)
  if room > 0 then
    write_though_full()
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', RECEIVER .. host, '-inf', now, 'LIMIT', 0, room)) do
      hand_out(id, host)
    end
    receiver_turn(host)
  end
end

local next_in = -1
local turns = redis.call('ZRANGE', RECEIVERS, 0, looked, 'WITHSCORES')
for i = #turns - 1, 1, -2 do
  if (busy[turns[i]] or 0) >= most_of_one then
    crowded = 1
  else
    next_in = math.max(0, tonumber(turns[i + 1]) - now)
  end
end
return {next_in, crowded, callbacks, dropped}
