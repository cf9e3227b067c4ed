-- Records a drawn dataset row; a row that is known stays as it is.
-- Grain: one row per dataset row. lat, lon in degrees. Dialect: SQLite.
insert or ignore into samples (
  dataset_id, sample_index, lat, lon, locatability_score, country, columns,
  image_sha256, image_format, width, height, exclusion, created_at
)
values (
  :dataset_id, :sample_index, :lat, :lon, :locatability_score, :country, :columns,
  :image_sha256, :image_format, :width, :height, :exclusion, :now
)
