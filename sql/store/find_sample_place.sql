-- Where the photo of a dataset row is, as the store knows it.
-- Grain: at most one row. Degrees. Dialect: SQLite.
select id, lat, lon
from samples
where dataset_id = :dataset_id and sample_index = :sample_index
