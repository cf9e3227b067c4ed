-- A call that showed the teacher nothing new: nearly the whole image, no turn at all, or a repeat.
-- Grain: one row per trace. :trace_ids is a JSON array. Reads the flags that were set when the calls ran.
-- Dialect: SQLite.
select
  trace_id,
  count(*) || iif(count(*) = 1, ' call', ' calls') || ', first in turn ' || min(turn) as detail
from tool_calls
where trace_id in (select value from json_each(:trace_ids))
  and instr(flags, '"noop"') > 0
group by trace_id
order by trace_id
