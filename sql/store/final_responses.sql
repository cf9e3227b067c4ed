-- The last responses of some traces.
-- Grain: one row per trace that has a turn, by id. :trace_ids is a JSON array. Dialect: SQLite.
select k.trace_id, k.turn, k.response
from json_each(:trace_ids) as j
cross join turns as k
  on k.trace_id = j.value
  and k.turn = (select max(turn) from turns where trace_id = j.value)
order by k.trace_id
