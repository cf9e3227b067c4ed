-- The store's default reward spec.
-- Grain: at most one row. Dialect: SQLite.
select id, kind
from reward_specs
where is_default = 1
