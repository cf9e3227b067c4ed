-- Records that an export was written.
-- Grain: one row per export. sha256 is the manifest's. Dialect: SQLite.
insert into exports (format, options, trace_count, sha256, path, created_at)
values (:format, :options, :trace_count, :sha256, :path, :now)
