-- Moves entries of a list into the stream in the list's own slot, which gives each an identity.
-- KEYS  1 list  2 stream
-- ARGV  1 most entries
-- Reply number moved. A repeat after a lost reply moves the next ones: an entry leaves the list when it joins the stream.

local entries = redis.call('LPOP', KEYS[1], ARGV[1])
if not entries then return 0 end
for _, entry in ipairs(entries) do redis.call('XADD', KEYS[2], '*', 'job', entry) end
return #entries
