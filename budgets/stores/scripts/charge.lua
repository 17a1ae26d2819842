-- What a call has cost, in place of what was reserved for it; once for an id.
-- KEYS: the call's record, the deadlines, the lane, and the counters.
-- ARGV: the call's id, the marker's life, what the keys of records begin with, whether the call goes by the lane, now, the
-- seconds in which burn fades; then for each counter bucket, first, life, amount.
-- Answers whether it was charged now.
local id, life, records, by_lane, now, fades = unpack(ARGV, 1, 6)
local raw = redis.call('GET', KEYS[1])
if raw == '' then return 0 end
redis.call('SET', KEYS[1], '', 'EX', life)
-- Without an id of the gateway's, the oldest call of the same descriptors is taken to be the one.
while not raw and by_lane == '1' do
  id = redis.call('LPOP', KEYS[3])
  if not id then break end
  raw = redis.call('GET', records .. id)
  redis.call('DEL', records .. id)
end
if raw then
  redis.call('ZREM', KEYS[2], id)
  for _, each in ipairs(cjson.decode(raw).reservations) do undo(each) end
end
for i = 4, #KEYS do
  local bucket, first, kept, amount = unpack(ARGV, 4 * i - 9, 4 * i - 6)
  local counter = load(KEYS[i], tonumber(first))
  spend(counter, tonumber(bucket), amount, tonumber(now), tonumber(fades))
  keep(counter, kept)
end
return 1
