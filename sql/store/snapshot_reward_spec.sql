-- The store's default reward spec, whose rewards an export carries.
-- Grain: at most one row. Dialect: SQLite.
select name, sha256
from reward_specs
where is_default = 1
