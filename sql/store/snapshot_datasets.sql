-- The datasets of a store, in the order in which their traces are exported.
-- Grain: one row per dataset. Dialect: SQLite.
select id, path, name, fingerprint, split, num_rows, columns, column_map
from datasets
order by name, fingerprint, path
