-- What a dataset row is in the store, and whether it can be used.
-- Grain: at most one row. Dialect: SQLite.
select id, exclusion
from samples
where dataset_id = :dataset_id and sample_index = :sample_index
