-- The id of a dataset without a fingerprint, by its path.
-- Grain: at most one row. Dialect: SQLite.
select id
from datasets
where path = :path and fingerprint is null
