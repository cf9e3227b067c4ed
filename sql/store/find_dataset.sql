-- The id of a dataset by its fingerprint.
-- Grain: at most one row. Dialect: SQLite.
select id
from datasets
where fingerprint = :fingerprint
