-- What a model's tokens cost.
-- Grain: at most one row. Prices per million tokens; a null for cached: as in. Dialect: SQLite.
select per_million_in, per_million_out, per_million_cached
from prices
where model = :model
