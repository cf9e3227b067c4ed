-- How many traces are pending.
-- Grain: one row. Dialect: SQLite.
select count(*) as pending
from temp.pending
