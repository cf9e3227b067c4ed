-- A dataset by its id.
-- Grain: one row. Dialect: SQLite.
select path, name, fingerprint, split, num_rows, columns, column_map
from datasets
where id = :dataset_id
