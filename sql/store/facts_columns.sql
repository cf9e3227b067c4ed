-- The columns of which a condition may speak.
-- Grain: one row per column. Dialect: SQLite.
select name
from pragma_table_info('trace_facts', 'temp')
order by cid
