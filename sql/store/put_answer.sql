-- Records the coordinates read from a trace's final response, or why there are none.
-- Grain: one row per trace and parser version. Degrees. Dialect: SQLite.
insert or ignore into answers (
  trace_id, parser_version, lat, lon, form, failure, flags, created_at
)
values (:trace_id, :parser_version, :lat, :lon, :form, :failure, :flags, :now)
