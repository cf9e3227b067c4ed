-- An answer beside the prompt's own words, or a comment that calls it a placeholder.
-- Grain: one row per trace. :trace_ids is a JSON array. Reads the flags of the newest parser.
-- Dialect: SQLite.
select a.trace_id, coalesce('answer ' || a.lat || ', ' || a.lon, 'no answer') as detail
from answers as a
where a.trace_id in (select value from json_each(:trace_ids))
  and a.parser_version = (select max(parser_version) from answers where trace_id = a.trace_id)
  and instr(a.flags, '"placeholder"') > 0
order by a.trace_id
