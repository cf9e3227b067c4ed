-- What may be asked of a trace to choose it for a rescore: a view of this connection's own.
-- Grain: one row per trace. Columns are named and meant as in the DuckDB view trace_results:
--   trace, dataset, sample_index, lat, lon (degrees), locatability_score, country, recipe (8 hex),
--   model, with_tools, rollout, status, stop_reason, closed_at (ISO-8601 UTC), turns, tool_calls,
--   failed_tool_calls, tool_validity, *_tokens, answer_lat, answer_lon, answer_form,
--   answer_failure, flags (JSON array), parse_success, format_valid (read from a box or an answer
--   tag), and of the store's default reward distance_km, score, geoguessr_points.
-- Dialect: SQLite.
create temp view if not exists trace_facts as
select
  t.id as trace_id,
  iif((select count(*) from datasets) > 1, n.name || ':', '')
    || s.sample_index || '-' || substr(r.sha256, 1, 8) || '-' || t.rollout as trace,
  n.name as dataset,
  s.sample_index,
  s.lat,
  s.lon,
  s.locatability_score,
  s.country,
  substr(r.sha256, 1, 8) as recipe,
  r.model,
  r.tools <> '[]' as with_tools,
  t.rollout,
  t.status,
  t.stop_reason,
  t.closed_at,
  x.turns,
  x.prompt_tokens,
  x.completion_tokens,
  x.total_tokens,
  x.tool_calls,
  x.failed_tool_calls,
  x.tool_validity,
  a.lat as answer_lat,
  a.lon as answer_lon,
  a.form as answer_form,
  a.failure as answer_failure,
  a.flags,
  iif(a.trace_id is null, null, a.failure is null) as parse_success,
  iif(a.trace_id is null, null, iif(a.failure is null and a.form in ('boxed', 'answer'), 1, 0))
    as format_valid,
  w.distance_km,
  w.score,
  w.geoguessr_points
from traces as t
join samples as s on s.id = t.sample_id
join datasets as n on n.id = s.dataset_id
join recipes as r on r.id = t.recipe_id
join trace_extras as x on x.trace_id = t.id
left join answers as a
  on a.trace_id = t.id
  and a.parser_version = (select max(parser_version) from answers where trace_id = t.id)
left join reward_specs as p on p.is_default = 1
left join rewards as w
  on w.spec_id = p.id and w.trace_id = t.id and w.parser_version = a.parser_version
