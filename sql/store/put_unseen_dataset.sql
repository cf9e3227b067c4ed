-- Records a dataset that only trace files name; one that is known keeps the path it was seen at.
-- Grain: one row per dataset. Dialect: SQLite.
insert or ignore into datasets (
  fingerprint, path, name, split, num_rows, columns, column_map, created_at
)
values (:fingerprint, :path, :name, :split, :num_rows, :columns, :column_map, :now)
