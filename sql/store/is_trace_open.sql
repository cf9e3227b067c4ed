-- Whether a trace is still open.
-- Grain: one row. Dialect: SQLite.
select status = 'open' as is_open
from traces
where sample_id = :sample_id and recipe_id = :recipe_id and rollout = :rollout
