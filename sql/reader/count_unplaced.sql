-- How many closed traces lack a place, their photo's or their answer's.
-- Grain: one row. Dialect: DuckDB, over the views of views.sql.
select count(*) as traces
from unplaced
