-- Adds the traces to which something happened since a place in the log.
-- Grain: one row per trace. Dialect: SQLite.
insert or ignore into temp.candidates (trace_id)
select trace_id
from trace_log
where id > :log_id
