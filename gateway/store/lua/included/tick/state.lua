-- What a tick is asked for, and what its parts share: see tick.lua.
-- include: attempts, rates

local replica, sequence = ARGV[1], ARGV[2]
local most_claims, most_flights, lease_slack = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
SETTLE_FOR, KEEP, LENGTH = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local on_unknown, most_retries = ARGV[9], tonumber(ARGV[10])
local SCAN = 256 -- of each kind looked at in one tick: bounds the time Redis is held
local budget = SCAN -- jobs that may end or step aside in this tick
local windows = {} -- that this tick writes to: the rates that count there, by scope
local longest_lease = 0 -- of what this tick claims
local flights -- calls in flight before this tick claims
