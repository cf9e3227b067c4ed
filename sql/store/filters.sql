-- Which traces a filter keeps, and the conditions that a user writes.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- part: filtered_traces
-- Of a dataset, the traces, t, that a filter keeps, with sample, s, recipe, r, newest answer, a, and
-- reward, w, of the spec :spec_id, p. Each other parameter may be null: no such condition. :with_turns
-- 1 leaves out traces without a response; :statuses is a JSON array; :recipe is the start of a
-- recipe's hash; :model is a pattern for glob; :since is an ISO-8601 UTC time, from which on the trace
-- was closed; :min_score keeps scores from there on, :max_distance_km smaller distances (km), and
-- either leaves out what could not be parsed; :condition is a number in temp.chosen; :flags is a JSON
-- array of checks, one of which flagged the trace, :exclude_flags of checks that did not.
samples as s
-- A cross join keeps this order of loops, in which rows come sorted from the indexes.
cross join traces as t on t.sample_id = s.id
join recipes as r on r.id = t.recipe_id
{{newest_answer}}
left join reward_specs as p on p.id = :spec_id
left join rewards as w on w.trace_id = t.id and w.spec_id = p.id
where s.dataset_id = :dataset_id
  and (:with_turns = 0 or exists (select 1 from turns where trace_id = t.id))
  and (:statuses is null or t.status in (select value from json_each(:statuses)))
  and (:recipe is null or substr(r.sha256, 1, length(:recipe)) = :recipe)
  and (:model is null or r.model glob :model)
  and (:since is null or t.closed_at >= :since)
  and (:min_score is null or (w.score >= :min_score and a.failure is null))
  and (:max_distance_km is null or (w.distance_km < :max_distance_km and a.failure is null))
  and (:condition is null or exists (
    select 1
    from temp.chosen
    where condition = :condition and trace_id = t.id
  ))
  and (:flags is null or exists (
    select 1
    from trace_flags
    where trace_id = t.id and flag in (select value from json_each(:flags))
  ))
  and (:exclude_flags is null or not exists (
    select 1
    from trace_flags
    where trace_id = t.id and flag in (select value from json_each(:exclude_flags))
  ))

-- name: temp_chosen
-- The traces that fulfil the conditions of a snapshot's filters, in a table of this connection's own.
-- Grain: one row per condition, by its number, and trace.
create temp table if not exists chosen (
  condition integer not null,
  trace_id integer not null,
  primary key (condition, trace_id)
) strict, without rowid;

-- name: temp_condition_reward
-- The reward that gives the scores in a condition, in a table of this connection's own.
-- Grain: at most one row; null: the store's default.
create temp table if not exists condition_reward (spec_id integer) strict;

-- name: clear_condition_reward
-- Empties the table of the reward of conditions.
-- Grain: the table.
delete from temp.condition_reward;

-- name: put_condition_reward
-- Sets the reward that gives the scores in a condition.
-- Grain: one row.
insert into temp.condition_reward (spec_id) values (:spec_id);

-- name: temp_trace_facts
-- What a condition of the user's may ask of a trace: a view of this connection's own.
-- Grain: one row per trace. Columns are named and meant as in the DuckDB view trace_results:
--   trace, dataset, sample_index, lat, lon (degrees), locatability_score, country, recipe (8 hex),
--   model, with_tools, rollout, status, stop_reason, closed_at (ISO-8601 UTC), turns, tool_calls,
--   failed_tool_calls, tool_validity, *_tokens, answer_lat, answer_lon, answer_form,
--   answer_failure, flags (JSON array), parse_success, format_valid (read from a box or an answer
--   tag), and distance_km, score, geoguessr_points of the reward in temp.condition_reward, or of the
--   store's default one where that is empty or null.
create temp view if not exists trace_facts as
select
  t.id as trace_id,
  {{trace_name}} as trace,
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
{{newest_answer}}
left join reward_specs as p
  on p.id = coalesce(
    (select spec_id from temp.condition_reward), (select id from reward_specs where is_default = 1)
  )
left join rewards as w
  on w.spec_id = p.id and w.trace_id = t.id and w.parser_version = a.parser_version;

-- name: facts_columns
-- The columns of which a condition may speak.
-- Grain: one row per column.
select name
from pragma_table_info('trace_facts', 'temp')
order by cid;

-- name: check_condition
-- Whether a condition of the user's is one expression: no other text fits these three places.
-- Grain: no row. Over the view trace_facts. Each comment stands for the condition. As a value in
-- parentheses, it is an expression, a list of them or a select; between case and when, an expression;
-- as a condition, one that speaks of a single row.
select
  (
/*condition*/
  ),
  case when
/*condition*/
  then 1 end
from temp.trace_facts
where (
/*condition*/
)
limit 0;

-- name: put_chosen
-- Keeps the traces that fulfil a condition of the user's, under a number.
-- Grain: one row per trace. Over the view trace_facts. The condition, which was checked, stands in
-- place of the comment below.
insert into temp.chosen (condition, trace_id)
select :condition, trace_id
from temp.trace_facts
where (
/*condition*/
);
