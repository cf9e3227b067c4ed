-- A sample by its id.
-- Grain: one row. Dialect: SQLite.
select
  dataset_id, sample_index, lat, lon, locatability_score, country, columns,
  image_sha256, image_format, width, height, exclusion
from samples
where id = :sample_id
