-- KEYS: the counters. ARGV: for each its first bucket and its limit.
-- Answers for each total, reserved, the bucket to wait for, burn, and when that was.
local answer = {}
for i = 1, #KEYS do
  local first, limit = ARGV[2 * i - 1], ARGV[2 * i]
  local counter = load(KEYS[i], tonumber(first))
  for _, figure in ipairs({counter.total, counter.reserved, room_after(counter, limit), counter.burnt, counter.at}) do
    answer[#answer + 1] = figure
  end
end
return answer
