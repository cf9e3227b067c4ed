-- Records that traces were audited, where they are still as they were read.
-- Grain: one row per trace of :audits, a JSON array of [trace_id, closed_at, parser_version,
-- prompts_read, response_key]. Returns the traces that were recorded: one that was opened again
-- meanwhile is left to the next audit. :with_keys 0: keys that are known stay. Dialect: SQLite.
insert into audits (trace_id, suite_id, parser_version, prompts_read, response_key, created_at)
select
  t.id, :suite_id, json_extract(a.value, '$[2]'), json_extract(a.value, '$[3]'),
  json_extract(a.value, '$[4]'), :now
from json_each(:audits) as a
cross join traces as t on t.id = json_extract(a.value, '$[0]')
where t.closed_at = json_extract(a.value, '$[1]')
on conflict (trace_id) do update
  set suite_id = excluded.suite_id,
      parser_version = excluded.parser_version,
      prompts_read = excluded.prompts_read,
      response_key = iif(:with_keys, excluded.response_key, response_key),
      created_at = excluded.created_at
returning trace_id
