-- The view that every question may use; made anew for each connection, never stored.
-- Grain: trace_results, one row per trace, with its sample, its recipe, what it cost and what came
-- of it. Dialect: DuckDB, with the store attached and in use.
--   lat, lon             the truth in degrees
--   trace                its public name; the dataset's name before it where the store holds several
--   recipe               first 8 hex of the recipe's hash
--   with_tools           whether the recipe offers any tool
--   tool_calls           all calls; failed_tool_calls: those without a result
--   *_tokens             sums over the turns; null where the server never said
--   answer_*, flags      of the newest parser; null before the trace is closed, or where it failed
--   parse_success        whether coordinates were read; null without a reading
--   distance_km, score, geoguessr_points
--                        of the store's default reward; null without coordinates, and where the
--                        reward is missing or of an older reading (geostore rescore computes it)
--   failure              whether a closed trace (answered, exhausted or failed) has no coordinates;
--                        null while it is open
--   distance_km_or_20000, score_or_0
--                        the same numbers with a failure as 20,000 km and score 0: a mean that
--                        leaves failures out rewards a teacher for not answering, so summaries
--                        give both; null while the trace is open
--   final_response       of a trace that is closed: its last response
-- Columns that are not asked for cost nothing; final_response reads all responses, so do not
-- select it from large stores without need.
create temp view trace_results as
with
names as (
  select id, name, if((select count(*) from datasets) > 1, name || ':', '') as prefix
  from datasets
),
answered as (
  select trace_id, parser_version, lat, lon, failure, flags
  from answers
  where (trace_id, parser_version) in (
    select (trace_id, max(parser_version)) from answers group by trace_id
  )
),
scored as (
  select w.trace_id, w.parser_version, w.distance_km, w.score, w.geoguessr_points
  from rewards as w
  join reward_specs as p on p.id = w.spec_id
  where p.is_default = 1
),
spoken as (
  select
    trace_id,
    count(*) as turns,
    sum(prompt_tokens)::bigint as prompt_tokens,
    sum(completion_tokens)::bigint as completion_tokens,
    sum(total_tokens)::bigint as total_tokens,
    arg_max(response, turn) as last_response
  from turns
  group by trace_id
),
called as (
  select trace_id, count(*) as tool_calls, count(*) filter (success = 0) as failed_tool_calls
  from tool_calls
  group by trace_id
)
select
  n.prefix || s.sample_index || '-' || left(r.sha256, 8) || '-' || t.rollout as trace,
  t.id as trace_id,
  n.name as dataset,
  s.id as sample_id,
  s.sample_index,
  s.lat,
  s.lon,
  s.locatability_score,
  s.country,
  left(r.sha256, 8) as recipe,
  r.model,
  r.tools <> '[]' as with_tools,
  t.rollout,
  t.status,
  t.stop_reason,
  coalesce(k.turns, 0) as turns,
  coalesce(c.tool_calls, 0) as tool_calls,
  coalesce(c.failed_tool_calls, 0) as failed_tool_calls,
  k.prompt_tokens,
  k.completion_tokens,
  k.total_tokens,
  a.lat as answer_lat,
  a.lon as answer_lon,
  a.failure as answer_failure,
  a.flags,
  if(a.trace_id is null, null, a.failure is null) as parse_success,
  w.distance_km,
  w.score,
  w.geoguessr_points,
  if(t.status = 'open', null, a.lat is null) as failure,
  case
    when t.status = 'open' then null
    when a.lat is null then 20000.0
    else w.distance_km
  end as distance_km_or_20000,
  case
    when t.status = 'open' then null
    when a.lat is null then 0.0
    else w.score
  end as score_or_0,
  if(t.status = 'open', null, k.last_response) as final_response
from traces as t
join samples as s on s.id = t.sample_id
join names as n on n.id = s.dataset_id
join recipes as r on r.id = t.recipe_id
left join answered as a on a.trace_id = t.id
left join scored as w on w.trace_id = a.trace_id and w.parser_version = a.parser_version
left join spoken as k on k.trace_id = t.id
left join called as c on c.trace_id = t.id;
