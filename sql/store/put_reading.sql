-- Records what a version of the parser reads, if the response read is still the final one.
-- Grain: one row per trace and parser version. Degrees. Dialect: SQLite.
insert or ignore into answers (
  trace_id, parser_version, lat, lon, form, failure, flags, created_at
)
select :trace_id, :parser_version, :lat, :lon, :form, :failure, :flags, :now
from traces
where id = :trace_id
  and status in ('answered', 'exhausted')
  and :turn = (select max(turn) from turns where trace_id = :trace_id)
