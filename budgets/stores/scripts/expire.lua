-- Reservations whose charge has not come by their deadline. Where the gateway names its calls they are committed at their
-- estimate: the caller hung up, or the gateway died. Where it does not they are released, because what looks like a call
-- without a charge may be the charge of 0 by which such a gateway ends a call that failed.
-- KEYS: the deadlines. ARGV: now, how many at most, what the keys of records begin with, the marker's life.
-- Answers for each its id, `committed` or `released`, and its note.
local now, most, records, life = unpack(ARGV)
local answer = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, most)) do
  redis.call('ZREM', KEYS[1], id)
  local raw = redis.call('GET', records .. id)
  if raw and raw ~= '' then
    local record = cjson.decode(raw)
    for _, each in ipairs(record.reservations) do
      if record.lane then undo(each) else commit(each) end
    end
    if record.lane then
      redis.call('LREM', record.lane, 1, id)
      redis.call('DEL', records .. id)
    else
      redis.call('SET', records .. id, cjson.encode(record), 'EX', life)
    end
    answer[#answer + 1] = id
    answer[#answer + 1] = record.lane and 'released' or 'committed'
    answer[#answer + 1] = record.note
  end
end
return answer
