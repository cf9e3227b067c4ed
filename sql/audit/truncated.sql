-- A response that the limit of tokens cut off.
-- Grain: one row per trace. :trace_ids is a JSON array. Dialect: SQLite.
select trace_id, 'turn ' || min(turn) as detail
from turns
where trace_id in (select value from json_each(:trace_ids))
  and finish_reason = 'length'
group by trace_id
order by trace_id
