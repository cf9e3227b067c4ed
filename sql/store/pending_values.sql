-- What the formulas need of the pending traces, for a SQLite without math functions.
-- Grain: one row per trace, by id. Traces of temp.pending with ids in (:after, :last]. Degrees.
-- :extras 0 leaves out what only a weighted reward asks for. Dialect: SQLite.
select
  p.trace_id,
  p.parser_version,
  a.lat,
  a.lon,
  s.lat as true_lat,
  s.lon as true_lon,
  a.failure is null as parsed,
  iif(a.failure is null and a.form in ('boxed', 'answer'), 1, 0) as format,
  iif(:extras, x.tool_validity, null) as tools,
  iif(:extras, x.tool_calls > x.failed_tool_calls, null) as tool_use,
  iif(:extras, x.turns, null) as turns,
  iif(:extras, x.completion_tokens, null) as tokens
from temp.pending as p
cross join answers as a on a.trace_id = p.trace_id and a.parser_version = p.parser_version
cross join traces as t on t.id = p.trace_id
cross join samples as s on s.id = t.sample_id
cross join temp.trace_extras as x on x.trace_id = p.trace_id
where p.trace_id > :after and p.trace_id <= :last
order by p.trace_id
