-- Records a dataset, or where one that is known was seen last.
-- Grain: one row per dataset. Dialect: SQLite.
insert into datasets (fingerprint, path, name, split, num_rows, columns, column_map, created_at)
values (:fingerprint, :path, :name, :split, :num_rows, :columns, :column_map, :now)
on conflict (fingerprint) do update
  set path = excluded.path
  where path <> excluded.path
