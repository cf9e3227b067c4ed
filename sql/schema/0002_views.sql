-- The views that every question may use, for sqlite3, Datasette, pandas and whatever else opens the
-- file: the same names, columns and rows as those of geostore query (sql/analytics/views.sql).
-- Dialect: SQLite. Never edited once it is released: a later change is a file of its own with the
-- next number. DuckDB parses a view when it lists the file's, so nothing stands here that it cannot.
-- Every count is a subquery of its own: one trace is looked up in no time, and a column that is not
-- asked for costs nothing. Units: km, degrees, tokens, milliseconds; shares from 0 to 1; costs in the
-- currency of the table prices. What is true is 1, what is false 0.

-- One row per trace: its name, its sample and its recipe.
create view trace_names as
select
  t.id as trace_id,
  case when (select count(*) from datasets) > 1 then d.name || ':' else '' end
    || s.sample_index || '-' || substr(r.sha256, 1, 8) || '-' || t.rollout as trace,
  d.name as dataset,
  s.id as sample_id,
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
  t.stop_reason
from traces as t
join samples as s on s.id = t.sample_id
join datasets as d on d.id = s.dataset_id
join recipes as r on r.id = t.recipe_id;

-- One row per failed request that was billed. A count that the server did not report is 0;
-- cached_tokens are at most prompt_tokens, and total_tokens are the sum of prompt and completion
-- where the server did not report it.
create view billed_failures as
select
  trace_id,
  run_id,
  prompt_tokens,
  completion_tokens,
  case when cached_tokens < prompt_tokens then cached_tokens else prompt_tokens end as cached_tokens,
  coalesce(total_tokens, prompt_tokens + completion_tokens) as total_tokens
from (
  select
    trace_id,
    run_id,
    case when json_type(usage, '$.prompt_tokens') = 'integer'
      then json_extract(usage, '$.prompt_tokens') else 0 end as prompt_tokens,
    case when json_type(usage, '$.completion_tokens') = 'integer'
      then json_extract(usage, '$.completion_tokens') else 0 end as completion_tokens,
    case when json_type(usage, '$.prompt_tokens_details.cached_tokens') = 'integer'
      then json_extract(usage, '$.prompt_tokens_details.cached_tokens') else 0 end as cached_tokens,
    case when json_type(usage, '$.total_tokens') = 'integer'
      then json_extract(usage, '$.total_tokens') end as total_tokens
  from attempts
  where usage is not null
) as counted;

-- One row per trace, with its sample, its recipe, its cost and its result: the newest reading of its
-- final response and the reward of the store's default spec. docs/queries.md says what each column is.
create view trace_results as
select
  t.trace_id,
  t.trace,
  t.dataset,
  t.sample_id,
  t.sample_index,
  t.lat,
  t.lon,
  t.locatability_score,
  t.country,
  t.recipe,
  t.model,
  t.with_tools,
  t.rollout,
  t.status,
  t.stop_reason,
  (select count(*) from turns as k where k.trace_id = t.trace_id) as turns,
  (select count(*) from tool_calls as c where c.trace_id = t.trace_id) as tool_calls,
  (select count(*) from tool_calls as c where c.trace_id = t.trace_id and c.success = 0)
    as failed_tool_calls,
  (select sum(k.prompt_tokens) from turns as k where k.trace_id = t.trace_id) as prompt_tokens,
  (select sum(k.completion_tokens) from turns as k where k.trace_id = t.trace_id)
    as completion_tokens,
  (select sum(k.total_tokens) from turns as k where k.trace_id = t.trace_id) as total_tokens,
  (select sum(k.cached_tokens) from turns as k where k.trace_id = t.trace_id) as cached_tokens,
  (
    select (
      (u.prompt - u.cached) * p.per_million_in
      + u.cached * coalesce(p.per_million_cached, p.per_million_in)
      + u.completion * p.per_million_out
    ) / 1e6
    from (
      select
        coalesce(sum(b.prompt), 0) as prompt,
        coalesce(sum(case when b.cached < b.prompt then b.cached else b.prompt end), 0) as cached,
        coalesce(sum(b.completion), 0) as completion
      from (
        select
          coalesce(k.prompt_tokens, 0) as prompt,
          coalesce(k.cached_tokens, 0) as cached,
          coalesce(k.completion_tokens, 0) as completion
        from turns as k
        where k.trace_id = t.trace_id
        union all
        select f.prompt_tokens, f.cached_tokens, f.completion_tokens
        from billed_failures as f
        where f.trace_id = t.trace_id
      ) as b
    ) as u
  ) as cost,
  (
    select count(*)
    from turns as k
    where k.trace_id = t.trace_id
      and (p.model is null or k.prompt_tokens is null or k.completion_tokens is null)
  ) as unpriced_turns,
  a.lat as answer_lat,
  a.lon as answer_lon,
  a.failure as answer_failure,
  a.flags,
  case when a.trace_id is not null then a.failure is null end as parse_success,
  case when a.trace_id is not null
    then coalesce(a.failure is null and a.form in ('boxed', 'answer'), 0) end as format_valid,
  (select 1 - sum(c.success = 0) * 1.0 / count(*) from tool_calls as c where c.trace_id = t.trace_id)
    as tool_validity,
  w.distance_km,
  w.score,
  w.geoguessr_points,
  case when t.status <> 'open' then a.lat is null end as failure,
  case when t.status <> 'open' then case when a.lat is null then 20000.0 else w.distance_km end end
    as distance_km_or_20000,
  case when t.status <> 'open' then case when a.lat is null then 0.0 else w.score end end
    as score_or_0,
  case when t.status <> 'open' then (
    select k.response
    from turns as k
    where k.trace_id = t.trace_id
    order by k.turn desc
    limit 1
  ) end as final_response
from trace_names as t
left join answers as a
  on a.trace_id = t.trace_id
  and a.parser_version = (select max(n.parser_version) from answers as n where n.trace_id = t.trace_id)
left join rewards as w
  on w.spec_id = (select d.id from reward_specs as d where d.is_default = 1)
  and w.trace_id = t.trace_id
  and w.parser_version = a.parser_version
left join prices as p on p.model = t.model;

-- One row per teacher response (turn), also those of traces that are still open.
create view turn_results as
select
  t.trace,
  k.trace_id,
  t.recipe,
  t.model,
  k.turn,
  k.turn_limit,
  k.finish_reason,
  k.prompt_tokens,
  k.cached_tokens,
  k.completion_tokens,
  k.reasoning_tokens,
  k.total_tokens,
  (
    (
      coalesce(k.prompt_tokens, 0)
      - case when coalesce(k.cached_tokens, 0) < coalesce(k.prompt_tokens, 0)
          then coalesce(k.cached_tokens, 0) else coalesce(k.prompt_tokens, 0) end
    ) * p.per_million_in
    + case when coalesce(k.cached_tokens, 0) < coalesce(k.prompt_tokens, 0)
        then coalesce(k.cached_tokens, 0) else coalesce(k.prompt_tokens, 0) end
      * coalesce(p.per_million_cached, p.per_million_in)
    + coalesce(k.completion_tokens, 0) * p.per_million_out
  ) / 1e6 as cost,
  p.model is null or k.prompt_tokens is null or k.completion_tokens is null as unpriced,
  k.latency_ms,
  (select count(*) from tool_calls as c where c.trace_id = k.trace_id and c.turn = k.turn)
    as tool_calls,
  (
    select count(*)
    from tool_calls as c
    where c.trace_id = k.trace_id and c.turn = k.turn and c.success = 0
  ) as failed_tool_calls,
  k.served_model,
  k.run_id,
  k.created_at,
  k.response,
  k.reasoning
from turns as k
join trace_names as t on t.trace_id = k.trace_id
left join prices as p on p.model = t.model;

-- One row per tool call.
create view tool_results as
select
  t.trace,
  c.trace_id,
  t.recipe,
  t.model,
  c.turn,
  c.call_index,
  c.name as tool,
  c.success,
  c.error_kind,
  c.flags,
  c.raw_arguments,
  c.arguments,
  c.source_index,
  c.box_left,
  c.box_top,
  c.box_right,
  c.box_bottom,
  c.angle,
  c.image_index,
  c.image_width,
  c.image_height,
  c.observation,
  c.created_at
from tool_calls as c
join trace_names as t on t.trace_id = c.trace_id;

-- One row per tool call that names a box of an image that there is: the four numbers as the teacher
-- wrote them, and which other frames would explain them (its call's flags looks_like:FRAME).
create view boxes as
select
  w.trace_id,
  w.turn,
  w.call_index,
  r.id as recipe_id,
  r.bbox_frame,
  w.success,
  cast(json_extract(w.box, '$[0]') as real) as a,
  cast(json_extract(w.box, '$[1]') as real) as b,
  cast(json_extract(w.box, '$[2]') as real) as c,
  cast(json_extract(w.box, '$[3]') as real) as d,
  coalesce(i.image_width, t.sent_width) as width,
  coalesce(i.image_height, t.sent_height) as height,
  instr(w.flags, '"looks_like:') > 0 as odd,
  instr(w.flags, '"looks_like:pixel"') > 0 as as_pixel,
  instr(w.flags, '"looks_like:norm1000"') > 0 as as_norm1000,
  instr(w.flags, '"looks_like:relative"') > 0 as as_relative,
  instr(w.flags, '"looks_like:pixel_yx"') > 0 as as_pixel_yx,
  instr(w.flags, '"looks_like:full_pixel"') > 0 as as_full_pixel
from (
  select
    trace_id, turn, call_index, source_index, success, flags,
    -- Refused arguments need not be JSON, which json_extract would not bear.
    case when json_valid(coalesce(arguments, raw_arguments))
        and json_type(coalesce(arguments, raw_arguments), '$.bbox_2d') = 'array'
      then json_extract(coalesce(arguments, raw_arguments), '$.bbox_2d') end as box
  from tool_calls
  where source_index is not null
    and instr(coalesce(arguments, raw_arguments), '"bbox_2d"') > 0
) as w
join traces as t on t.id = w.trace_id
join recipes as r on r.id = t.recipe_id
-- Image 0 is the photo, and no call gave it.
left join tool_calls as i on i.trace_id = w.trace_id and i.image_index = w.source_index
where json_array_length(w.box) = 4
  and json_type(w.box, '$[0]') in ('integer', 'real')
  and json_type(w.box, '$[1]') in ('integer', 'real')
  and json_type(w.box, '$[2]') in ('integer', 'real')
  and json_type(w.box, '$[3]') in ('integer', 'real');
