-- Which traces a filter keeps, and the conditions that a user writes.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- part: filtered_traces
-- Of a dataset, the traces, t, that a filter keeps, with sample, s, recipe, r, newest answer, a, and
-- reward, w, of the spec :spec_id, p. Each other parameter may be null: no such condition. :with_turns
-- 1 leaves out traces without a response, :with_images 1 those whose images cannot be made again;
-- :statuses is a JSON array; :recipe is the start of a
-- recipe's hash; :model is a pattern for glob; :since is an ISO-8601 UTC time, from which on the trace
-- was closed; :min_score keeps scores from there on, also that of an answer without coordinates;
-- :max_distance_km keeps smaller distances (km) and leaves out what could not be parsed; :condition is a number in temp.chosen; :flags is a JSON
-- array of checks, one of which flagged the trace, :exclude_flags of checks that did not; :min_turns and
-- :max_turns bound its responses, :max_tokens the tokens of its last request and response, estimated
-- where the server did not count them; :require_tools 1 keeps traces in which a call gave a result.
samples as s
-- A cross join keeps this order of loops, in which rows come sorted from the indexes.
cross join traces as t on t.sample_id = s.id
join recipes as r on r.id = t.recipe_id
{{newest_answer}}
left join reward_specs as p on p.id = :spec_id
left join rewards as w on w.trace_id = t.id and w.spec_id = p.id
where s.dataset_id = :dataset_id
  and (:with_turns = 0 or exists (select 1 from turns where trace_id = t.id))
  and (:with_images = 0 or {{images_are_known}})
  and (:statuses is null or t.status in (select value from json_each(:statuses)))
  and (:recipe is null or substr(r.sha256, 1, length(:recipe)) = :recipe)
  and (:model is null or r.model glob :model)
  and (:since is null or t.closed_at >= :since)
  and (:min_turns is null or (select count(*) from turns where trace_id = t.id) >= :min_turns)
  and (:max_turns is null or (select count(*) from turns where trace_id = t.id) <= :max_turns)
  and (:max_tokens is null or {{trace_tokens}} <= :max_tokens)
  and (
    :require_tools = 0
    or exists (select 1 from tool_calls where trace_id = t.id and success = 1)
  )
  -- What a trace file says of its reward (version 0) is said of the file's own reading.
  and (
    :min_score is null
    or (
      w.score >= :min_score
      and (a.failure is null or w.parser_version in (0, a.parser_version))
    )
  )
  and (
    :max_distance_km is null
    or (w.distance_km < :max_distance_km and (a.failure is null or w.parser_version = 0))
  )
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

-- part: images_are_known
-- Whether the images of a trace, t, of a recipe, r, can all be made again, as `again.why_not` says.
(
  r.imported is null
  or coalesce((select min(proof <> 'not') from image_proofs where trace_id = t.id) = 1, 0)
)

-- part: trace_tokens
-- The tokens of the last request of a trace, t, and its response; null without a response.
(
  select
    coalesce(prompt_tokens, estimated_prompt_tokens, 0)
    + coalesce(completion_tokens, estimated_completion_tokens, 0)
  from turns
  where trace_id = t.id
  order by turn desc
  limit 1
)

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

-- part: reward_columns
-- What a condition may ask of a reward, w, of a trace, t, whose newest answer is a.
  w.distance_km,
  w.score,
  w.geoguessr_points,
  case
    when t.status = 'open' then null
    when w.parser_version = 0
      then w.distance_km is null and (w.score is null or coalesce(w.geoguessr_points, 1) = 0)
    else a.lat is null
  end as failure,
  case
    when t.status = 'open' then null
    when w.parser_version = 0 and not (
      w.distance_km is null and (w.score is null or coalesce(w.geoguessr_points, 1) = 0)
    ) then w.distance_km
    when w.parser_version = 0 or a.lat is null then 20000.0
    else w.distance_km
  end as distance_km_or_20000,
  case
    when t.status = 'open' then null
    when w.parser_version = 0 and not (
      w.distance_km is null and (w.score is null or coalesce(w.geoguessr_points, 1) = 0)
    ) then w.score
    when w.parser_version = 0 or a.lat is null then coalesce(w.score, 0.0)
    else w.score
  end as score_or_0

-- part: result_columns
-- What a condition of the user's may ask of a trace, t: all that the view trace_results, v, says of it,
-- but of the reward w, and two more of t and its newest answer, a.
  v.trace_id,
  v.trace,
  v.dataset,
  v.sample_id,
  v.sample_index,
  v.lat,
  v.lon,
  v.locatability_score,
  v.country,
  v.recipe,
  v.model,
  v.with_tools,
  v.rollout,
  v.status,
  v.stop_reason,
  v.turns,
  v.tool_calls,
  v.failed_tool_calls,
  v.prompt_tokens,
  v.completion_tokens,
  v.total_tokens,
  v.cached_tokens,
  v.cache_write_tokens,
  v.estimated_tokens,
  v.uncounted_turns,
  v.cost,
  v.stated_cost,
  v.unpriced_turns,
  v.answer_lat,
  v.answer_lon,
  v.answer_failure,
  v.flags,
  v.parse_success,
  v.format_valid,
  v.tool_validity,
{{reward_columns}},
  v.final_response,
  v.said_region,
  v.said_city,
  v.confidence,
  v.confidence_form,
  v.said_country,
  v.stated_country,
  v.true_country,
  v.true_region,
  v.true_city,
  v.answer_country,
  v.answer_region,
  v.answer_city,
  v.country_correct,
  v.region_correct,
  v.city_correct,
  v.country_correct_or_0,
  v.region_correct_or_0,
  v.city_correct_or_0,
  v.said_true_country,
  v.said_true_region,
  v.said_true_city,
  t.closed_at,
  a.form as answer_form

-- name: temp_trace_results
-- What a condition of the user's may ask of a trace: the schema's view trace_results with the scores of
-- a chosen reward, in its place for this connection alone.
-- Grain: one row per trace. distance_km, score, geoguessr_points and what follows from them are of the
-- reward in temp.condition_reward, or of the store's default one where that is empty or null.
-- closed_at (ISO-8601 UTC) and answer_form are added.
create temp view if not exists trace_results as
select
{{result_columns}}
from main.trace_results as v
join traces as t on t.id = v.trace_id
{{newest_answer}}
left join reward_specs as p
  on p.id = coalesce(
    (select spec_id from temp.condition_reward), (select id from reward_specs where is_default = 1)
  )
left join rewards as w
  on w.spec_id = p.id and w.trace_id = t.id and w.parser_version in (0, a.parser_version);

-- name: results_of_reward
-- What a condition asks that the view trace_results does not say, or says of the default reward, as a
-- manifest has it for whoever asks again. It stands in the manifest, and the store runs it nowhere.
-- Grain: one row per trace, named reward_of. The comment stands for the sha256 of a reward spec.
select
  t.id as reward_of,
{{reward_columns}},
  t.closed_at,
  a.form as answer_form
from traces as t
{{newest_answer}}
left join reward_specs as p
  on p.sha256 = /*sha256*/
left join rewards as w
  on w.spec_id = p.id and w.trace_id = t.id and w.parser_version in (0, a.parser_version);

-- name: every_result_of_reward
-- The view trace_results with the scores of a chosen reward, as a manifest has it where a condition
-- compares traces with others. It stands in the manifest, and the store runs it nowhere.
-- Grain: one row per trace. The comment stands for the sha256 of a reward spec.
select
{{result_columns}}
from main.trace_results as v
join traces as t on t.id = v.trace_id
{{newest_answer}}
left join reward_specs as p
  on p.sha256 = /*sha256*/
left join rewards as w
  on w.spec_id = p.id and w.trace_id = t.id and w.parser_version in (0, a.parser_version);

-- name: condition_columns
-- The columns of which a condition may speak.
-- Grain: one row per column.
select name
from pragma_table_info('trace_results', 'temp')
order by cid;

-- name: check_condition
-- Whether a condition of the user's is one expression: no other text fits these three places.
-- Grain: no row. Over the view trace_results. Each comment stands for the condition. As a value in
-- parentheses, it is an expression, a list of them or a select; between case and when, an expression;
-- as a condition, one that speaks of a single row.
select
  (
/*condition*/
  ),
  case when
/*condition*/
  then 1 end
from temp.trace_results
where (
/*condition*/
)
limit 0;

-- name: put_chosen
-- Keeps the traces that fulfil a condition of the user's, under a number.
-- Grain: one row per trace. Over the view trace_results. The condition, which was checked, stands in
-- place of the comment below.
insert into temp.chosen (condition, trace_id)
select :condition, trace_id
from temp.trace_results
where (
/*condition*/
);
