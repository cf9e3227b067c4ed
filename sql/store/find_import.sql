-- What is known of a file: whether this path was imported, and a trace with these bytes.
-- Grain: one row. Dialect: SQLite.
select
  (select sha256 from imports where path = :path) as path_sha256,
  (select variant from imports where sha256 = :sha256 limit 1) as variant,
  (select trace_id from imports where sha256 = :sha256 limit 1) as trace_id
