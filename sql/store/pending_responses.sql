-- What a custom reward function is given of the pending traces.
-- Grain: one row per trace, by id. Traces of temp.pending with ids in (:after, :last]. Degrees.
-- Dialect: SQLite.
select
  p.trace_id,
  p.parser_version,
  k.turn,
  k.response,
  a.lat,
  a.lon,
  s.lat as true_lat,
  s.lon as true_lon,
  s.sample_index,
  s.country,
  s.locatability_score,
  s.columns,
  n.name as dataset,
  n.split,
  t.rollout,
  t.status,
  t.stop_reason,
  r.sha256 as recipe,
  r.model,
  x.tool_calls,
  x.failed_tool_calls,
  x.completion_tokens
from temp.pending as p
cross join answers as a on a.trace_id = p.trace_id and a.parser_version = p.parser_version
cross join traces as t on t.id = p.trace_id
cross join samples as s on s.id = t.sample_id
cross join datasets as n on n.id = s.dataset_id
cross join recipes as r on r.id = t.recipe_id
cross join temp.trace_extras as x on x.trace_id = p.trace_id
cross join turns as k
  on k.trace_id = p.trace_id
  and k.turn = (select max(turn) from turns where trace_id = p.trace_id)
where p.trace_id > :after and p.trace_id <= :last
order by p.trace_id
