-- A call that ended without a charge: its reservations are committed at the estimate, or released.
-- KEYS: the call's record, the deadlines. ARGV: the call's id, the marker's life, `commit` or `release`.
-- Answers the note of the reservation that this has ended; nothing where there was none.
local id, life, how = ARGV[1], ARGV[2], ARGV[3]
local raw = redis.call('GET', KEYS[1])
if not raw or raw == '' or redis.call('ZREM', KEYS[2], id) == 0 then return false end
local record = cjson.decode(raw)
for _, each in ipairs(record.reservations) do
  if how == 'commit' then commit(each) else undo(each) end
end
-- A committed one stays on record: a charge that comes late after all replaces the estimate.
redis.call('SET', KEYS[1], how == 'commit' and cjson.encode(record) or '', 'EX', life)
return record.note
