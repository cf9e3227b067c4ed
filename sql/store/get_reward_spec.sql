-- The id of a reward spec, by its hash.
-- Grain: at most one row. Dialect: SQLite.
select id
from reward_specs
where sha256 = :sha256
