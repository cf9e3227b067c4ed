-- Adds every trace that has a reading.
-- Grain: one row per trace. Dialect: SQLite.
insert or ignore into temp.candidates (trace_id)
select distinct trace_id
from answers
