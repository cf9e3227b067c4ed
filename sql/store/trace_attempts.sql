-- The failed requests of a trace.
-- Grain: one row per failed request, in order. Dialect: SQLite.
select turn, error_class, message, http_status, usage
from attempts
where trace_id = :trace_id
order by attempt
