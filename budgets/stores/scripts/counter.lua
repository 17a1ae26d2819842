#!lua
-- What every script here shares. A counter is a hash:
--   total     what counts against the limit: what is used in the buckets that still count, and what is reserved
--   reserved  the part of it that calls under way hold
--   oldest    the oldest bucket that still counts; it never goes back, whatever a clock does
--   resets    how often it was emptied
--   burn, at  spend of late, fading with time, and when that was brought up to date
--   <number>  a bucket: what was spent in one step of the window
-- Amounts stay decimal text and are added by the store itself (64-bit), because Lua's numbers are exact to 2^53 only and
-- picodollars go beyond. No flag is declared above, so a store that is full, read-only or short of replicas refuses even
-- the scripts that only read: a call that nobody could charge must not be admitted.

local function at_least(amount, limit)
  if #amount ~= #limit then return #amount > #limit end
  return amount >= limit
end

local function negative(amount)
  return amount == '0' and '0' or '-' .. amount
end

-- The buckets as {number, amount}, oldest first.
local function buckets(key)
  local found, fields = {}, redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    local number = tonumber(fields[i])
    if number then found[#found + 1] = {number, fields[i + 1]} end
  end
  table.sort(found, function(a, b) return a[1] < b[1] end)
  return found
end

-- The counter as it stands, without the buckets before `first`: they are let go of.
local function load(key, first)
  local total, reserved, oldest, burnt, at = unpack(redis.call('HMGET', key, 'total', 'reserved', 'oldest', 'burn', 'at'))
  local counter = {
    key = key, is_new = not total, total = total or '0', reserved = reserved or '0',
    oldest = oldest and tonumber(oldest), burnt = burnt or '0', at = at or '0',
  }
  if oldest and counter.oldest < first then
    for _, bucket in ipairs(buckets(key)) do
      if bucket[1] >= first then break end
      redis.call('HINCRBY', key, 'total', negative(bucket[2]))
      redis.call('HDEL', key, string.format('%d', bucket[1]))
    end
    redis.call('HSET', key, 'oldest', first)
    counter.oldest, counter.total = first, redis.call('HGET', key, 'total')
  end
  return counter
end

-- The bucket with whose leaving a spent counter has room again; -1 where it has room, -2 where no bucket is in the way.
local function room_after(counter, limit)
  if not at_least(counter.total, limit) then return -1 end
  local left = tonumber(counter.total)
  for _, bucket in ipairs(buckets(counter.key)) do
    left = left - tonumber(bucket[2])
    if left < tonumber(limit) then return bucket[1] end
  end
  return -2
end

local function spend(counter, bucket, amount, now, fades)
  local key = counter.key
  -- A clock that was set back must not fill a bucket that nothing would ever let go of.
  local oldest = counter.oldest or bucket
  local faded = tonumber(counter.burnt) * math.exp(-math.max(0, now - tonumber(counter.at)) / fades)
  redis.call('HINCRBY', key, string.format('%d', math.max(bucket, oldest)), amount)
  redis.call('HINCRBY', key, 'total', amount)
  redis.call('HSET', key, 'oldest', oldest, 'burn', string.format('%.17g', faded + tonumber(amount)), 'at', now)
end

-- The longest life counts: clocks differ, and so do the lives that they give.
local function keep(counter, life)
  if counter.is_new then
    redis.call('EXPIRE', counter.key, life)
  else
    redis.call('EXPIRE', counter.key, life, 'GT')
  end
end

-- A reservation is {key, amount, due, bucket}: it holds the amount, and is charged what is due where no charge comes. Once
-- that is done its amount is what was due, and it has `resets` too, the counter's at that moment. A counter may be gone by then, with its window or with the store's memory, and even be there anew.
local function holds(key, amount)
  local reserved = redis.call('HGET', key, 'reserved')
  return reserved and at_least(reserved, amount)
end

-- Turn it into spend of the moment in which it was made.
local function commit(reservation)
  local key, amount = reservation.key, reservation.amount
  reservation.resets = 'gone'
  if not holds(key, amount) then return end
  redis.call('HINCRBY', key, 'reserved', negative(amount))
  local oldest = tonumber(redis.call('HGET', key, 'oldest') or reservation.bucket)
  redis.call('HSETNX', key, 'oldest', oldest)
  reservation.bucket = string.format('%d', math.max(reservation.bucket, oldest))
  redis.call('HINCRBY', key, 'total', negative(amount))
  redis.call('HINCRBY', key, 'total', reservation.due)
  redis.call('HINCRBY', key, reservation.bucket, reservation.due)
  reservation.amount = reservation.due
  reservation.resets = redis.call('HGET', key, 'resets') or '0'
end

-- As if it had never been.
local function undo(reservation)
  local key, amount = reservation.key, reservation.amount
  if not reservation.resets then
    if not holds(key, amount) then return end
    redis.call('HINCRBY', key, 'reserved', negative(amount))
  else
    local forgiven = (redis.call('HGET', key, 'resets') or '0') ~= reservation.resets
    if forgiven or redis.call('HEXISTS', key, reservation.bucket) == 0 then return end
    redis.call('HINCRBY', key, reservation.bucket, negative(amount))
  end
  redis.call('HINCRBY', key, 'total', negative(amount))
end
