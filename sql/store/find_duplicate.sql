-- Whether a photo was already drawn from this dataset under another row number, and is used.
-- Grain: at most one row. Dialect: SQLite.
select sample_index
from samples
where image_sha256 = :image_sha256
  and dataset_id = :dataset_id
  and sample_index <> :sample_index
  and exclusion is null
order by sample_index
limit 1
