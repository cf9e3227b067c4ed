-- The failed requests of some traces.
-- Grain: one row per failed request, in order. :trace_ids is a JSON array. Dialect: SQLite.
select trace_id, turn, error_class, message, http_status, usage
from attempts
where trace_id in (select value from json_each(:trace_ids))
order by trace_id, attempt
