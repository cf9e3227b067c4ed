-- The last place of the log of traces.
-- Grain: one row. Dialect: SQLite.
select coalesce(max(id), 0) as log_id
from trace_log
