-- Removes the flags that are to be found anew, and those of checks that are no more.
-- Grain: one row per flag of these traces. :trace_ids is a JSON array; :kept one of the checks whose
-- flags stay. Dialect: SQLite.
delete from trace_flags
where trace_id in (select value from json_each(:trace_ids))
  and flag not in (select value from json_each(:kept))
