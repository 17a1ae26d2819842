-- Empty the counters. What calls under way hold is not forgiven: it is not spent yet.
-- KEYS: the counters. ARGV: for each its first bucket. Answers for each total and reserved as they were.
local answer = {}
for i = 1, #KEYS do
  local counter = load(KEYS[i], tonumber(ARGV[i]))
  if not counter.is_new then
    for _, bucket in ipairs(buckets(KEYS[i])) do redis.call('HDEL', KEYS[i], string.format('%d', bucket[1])) end
    redis.call('HSET', KEYS[i], 'total', counter.reserved)
    redis.call('HINCRBY', KEYS[i], 'resets', 1)
    redis.call('HDEL', KEYS[i], 'burn', 'at')
  end
  answer[#answer + 1] = counter.total
  answer[#answer + 1] = counter.reserved
end
return answer
