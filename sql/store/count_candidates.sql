-- How many candidates have a reading.
-- Grain: one row. Dialect: SQLite.
select count(*) as answered
from temp.candidates as c
where exists (select 1 from answers where trace_id = c.trace_id)
