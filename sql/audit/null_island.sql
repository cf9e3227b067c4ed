-- An answer of exactly 0, 0: open sea, and what programs write for a missing place.
-- Grain: one row per trace. :trace_ids is a JSON array. Reads the flags of the newest parser.
-- Dialect: SQLite.
select a.trace_id, 'answer 0, 0' as detail
from answers as a
where a.trace_id in (select value from json_each(:trace_ids))
  and a.parser_version = (select max(parser_version) from answers where trace_id = a.trace_id)
  and instr(a.flags, '"null_island"') > 0
order by a.trace_id
