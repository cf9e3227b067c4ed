-- The id of a trace by its natural key, and whether it came to an end.
-- Grain: at most one row. Dialect: SQLite.
select id, status
from traces
where sample_id = :sample_id and recipe_id = :recipe_id and rollout = :rollout
