-- Records what checks found.
-- Grain: one row per trace and check of :flags, a JSON array of [trace_id, flag, version, detail];
-- of the traces in the JSON array :trace_ids only. Dialect: SQLite.
insert into trace_flags (trace_id, flag, version, detail, created_at)
select
  json_extract(f.value, '$[0]'), json_extract(f.value, '$[1]'), json_extract(f.value, '$[2]'),
  json_extract(f.value, '$[3]'), :now
from json_each(:flags) as f
where json_extract(f.value, '$[0]') in (select value from json_each(:trace_ids))
