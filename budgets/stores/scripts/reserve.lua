-- Whether a call may go ahead; if so, every budget holds what it may cost, and else none does.
-- KEYS: the call's record, the deadlines, the lane, and the counters.
-- ARGV: the call's id, its deadline, the lane's life, a note, whether the call goes by the lane; then for each counter
-- bucket, first, life, limit, amount, whether it blocks, and what is due where no charge comes.
-- Answers whether it is admitted, then for each counter total, reserved and the bucket to wait for, as they were before.
local id, deadline, life, note, by_lane = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local again = redis.call('EXISTS', KEYS[1]) == 1
local admitted, answer, holds = 1, {1}, {}
for i = 4, #KEYS do
  local bucket, first, kept, limit, amount, blocks, due = unpack(ARGV, 7 * i - 22, 7 * i - 16)
  local counter = load(KEYS[i], tonumber(first))
  local frees = room_after(counter, limit)
  if frees ~= -1 and blocks == '1' and not again then admitted = 0 end
  answer[#answer + 1] = counter.total
  answer[#answer + 1] = counter.reserved
  answer[#answer + 1] = frees
  holds[#holds + 1] = {counter, tonumber(bucket), kept, amount, due}
end
answer[1] = admitted
-- A gateway that tries a call again, say at another upstream, asks again: what it holds is held already.
if admitted == 0 or again then return answer end
local reservations = {}
for i, hold in ipairs(holds) do
  local counter, bucket, kept, amount, due = unpack(hold)
  redis.call('HINCRBY', counter.key, 'total', amount)
  redis.call('HINCRBY', counter.key, 'reserved', amount)
  keep(counter, kept)
  reservations[i] = {key = counter.key, amount = amount, due = due, bucket = bucket}
end
local lane = by_lane == '1' and KEYS[3] or nil
local record = cjson.encode({reservations = reservations, note = note, lane = lane})
-- It has no end of its own: whoever is back first after the deadline settles it.
redis.call('SET', KEYS[1], record)
redis.call('ZADD', KEYS[2], deadline, id)
if lane then
  redis.call('RPUSH', lane, id)
  redis.call('EXPIRE', lane, life)
end
return answer
