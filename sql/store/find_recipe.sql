-- The id of a recipe by its hash.
-- Grain: at most one row. Dialect: SQLite.
select id
from recipes
where sha256 = :sha256
