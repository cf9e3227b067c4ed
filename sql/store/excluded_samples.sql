-- The rows of a dataset that were drawn and cannot be used.
-- Grain: one row per dataset row, by reason and row number. Dialect: SQLite.
select exclusion, sample_index
from samples
where dataset_id = :dataset_id and exclusion is not null
order by exclusion, sample_index
