-- Turns, tool calls, failed requests and answers of traces, and whole traces.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- part: sample_columns
-- A sample, s, at the start of a row; rows.sample_record reads it.
s.sample_index, s.lat, s.lon, s.locatability_score, s.country, s.columns, s.image_sha256, s.image_format,
  s.width, s.height, s.exclusion

-- part: trace_columns
-- A trace, t, with its sample, recipe, newest answer and reward, behind the ids of trace, recipe and
-- dataset; rows.stored_trace_record reads it.
{{sample_columns}}, {{answer_columns}}, {{sent_columns}},
  r.sha256 as recipe_sha256,
  (select label from datasets where id = s.dataset_id) as dataset_label, t.rollout, t.status,
  t.stop_reason, t.turn_limit, p.name as reward_spec, p.kind as reward_kind,
  (
    -- Rows of other datasets that stand for the sample hold its photo as well.
    select json_group_array(json_array(c.dataset_id, c.sample_index))
    from samples as c
    where c.same_as = s.id
  ) as copies,
  w.spec_id, w.distance_km, w.score, w.geoguessr_points

-- part: sent_columns
-- The photo of a trace, t, as it was sent.
t.sent_sha256, t.sent_pixels_xxh128, t.sent_width, t.sent_height

-- part: answer_columns
-- What the parser read, a, behind sample_columns and under names that differ from these;
-- rows.answer_record reads it.
a.parser_version, a.lat as answer_lat, a.lon as answer_lon, a.form, a.failure, a.flags,
a.said_country, a.said_region, a.said_city, a.confidence, a.confidence_form

-- part: newest_answer
-- Joins the answer that the newest parser read in a trace, t.
left join answers as a
  on a.trace_id = t.id
  and a.parser_version = (select max(parser_version) from answers where trace_id = t.id)

-- name: put_sent_photo
-- Records the photo as it is sent in a trace: hashes of its bytes and pixels, and size in pixels.
-- Grain: one row.
update traces
set
  sent_sha256 = :sha256, sent_pixels_xxh128 = :pixels_xxh128, sent_width = :width,
  sent_height = :height
where id = :trace_id and sent_sha256 is null;

-- name: put_turn
-- Records a teacher response, before anything is done with it.
-- Grain: one row per turn. latency in milliseconds.
insert or ignore into turns (
  trace_id, turn, response, reasoning, reasoning_source, native_calls, finish_reason, turn_limit,
  request_sha256, prompt_tokens, completion_tokens, total_tokens, cached_tokens, cache_write_tokens,
  image_tokens, reasoning_tokens, service_tier, stated_cost, estimated_prompt_tokens,
  estimated_completion_tokens, latency_ms, first_token_ms, served_model, request_id, request_form,
  usage, members, run_id, messages, created_at
)
values (
  :trace_id, :turn, :response, :reasoning, :reasoning_source, :native_calls, :finish_reason,
  :turn_limit, :request_sha256, :prompt_tokens, :completion_tokens, :total_tokens, :cached_tokens,
  :cache_write_tokens, :image_tokens, :reasoning_tokens, :service_tier, :stated_cost,
  :estimated_prompt_tokens, :estimated_completion_tokens, :latency_ms, :first_token_ms,
  :served_model, :request_id, :request_form, :usage, :members, :run_id, :messages, :now
);

-- name: put_tool_call
-- Records a tool call and its result.
-- Grain: one row per call. box_left, box_top, box_right, box_bottom in source pixels; angle in degrees.
insert or ignore into tool_calls (
  trace_id, turn, call_index, name, raw_arguments, arguments, source_index,
  box_left, box_top, box_right, box_bottom, angle, success, error_kind, flags, observation, image_index,
  image_sha256, image_width, image_height, full_width, full_height, image_pixels_xxh128, created_at
)
values (
  :trace_id, :turn, :call_index, :name, :raw_arguments, :arguments, :source_index,
  :box_left, :box_top, :box_right, :box_bottom, :angle, :success, :error_kind, :flags, :observation, :image_index,
  :image_sha256, :image_width, :image_height, :full_width, :full_height,
  :image_pixels_xxh128, :now
);

-- name: put_attempt
-- Records a failed request under the trace's next attempt number.
-- Grain: one row per failed request.
insert into attempts (
  trace_id, attempt, turn, error_class, message, http_status, usage, prompt_tokens,
  completion_tokens, total_tokens, cached_tokens, cache_write_tokens, service_tier, stated_cost,
  estimated_prompt_tokens, estimated_completion_tokens, response, run_id, created_at
)
select
  :trace_id, 1 + coalesce(max(attempt), 0), :turn, :error_class, :message, :http_status, :usage,
  :prompt_tokens, :completion_tokens, :total_tokens, :cached_tokens, :cache_write_tokens,
  :service_tier, :stated_cost, :estimated_prompt_tokens, :estimated_completion_tokens, :response,
  :run_id, :now
from attempts
where trace_id = :trace_id;

-- name: close_trace
-- Closes an open trace and gives back its claim.
-- Grain: at most one row.
update traces
set status = :status, stop_reason = :reason, turn_limit = :turn_limit, closed_at = :now,
  claimed_by = null, claim_expires_at = null
where id = :trace_id and status = 'open';

-- name: put_answer
-- Records the coordinates read from a trace's final response, or why there are none, and what stands
-- beside them.
-- Grain: one row per trace and parser version. Degrees.
insert or ignore into answers (
  trace_id, parser_version, lat, lon, form, failure, flags,
  said_country, said_region, said_city, confidence, confidence_form
)
values (
  :trace_id, :parser_version, :lat, :lon, :form, :failure, :flags,
  :said_country, :said_region, :said_city, :confidence, :confidence_form
);

-- name: put_interim_answer
-- Records the coordinates in a turn before a trace's last, beside the reading of its final response.
-- Grain: at most one row. Degrees. None where that reading is not there, because the trace was opened
-- again meanwhile.
insert or ignore into interim_answers (trace_id, turn, parser_version, lat, lon, form, flags)
select :trace_id, :turn, :parser_version, :lat, :lon, :form, :flags
where exists (
    select 1 from answers where trace_id = :trace_id and parser_version = :parser_version
  )
  and :turn < (select max(turn) from turns where trace_id = :trace_id);

-- name: find_trace_id
-- The id and status of a trace by its natural key.
-- Grain: at most one row.
select id, status
from traces
where sample_id = :sample_id and recipe_id = :recipe_id and rollout = :rollout;

-- name: get_trace
-- A trace with its sample, newest answer and default reward; columns as in snapshot_traces.
-- Grain: one row. km, degrees, pixels.
select
  t.id, t.recipe_id, s.dataset_id, {{trace_columns}}
from traces as t
join samples as s on s.id = t.sample_id
join recipes as r on r.id = t.recipe_id
{{newest_answer}}
left join reward_specs as p on p.is_default = 1
left join rewards as w on w.trace_id = t.id and w.spec_id = p.id
where t.id = :trace_id;

-- name: turns_of_traces
-- All turns of some traces; behind the trace's id stand the fields of records.Turn in their order.
-- Grain: one row per turn, in order. :trace_ids is a JSON array.
select
  trace_id, prompt_tokens, completion_tokens, total_tokens, cached_tokens, cache_write_tokens,
  image_tokens, reasoning_tokens, service_tier, stated_cost, turn, response, reasoning,
  reasoning_source, native_calls, finish_reason, turn_limit, request_sha256, latency_ms, served_model,
  request_id, usage, members, first_token_ms, request_form, messages, estimated_prompt_tokens,
  estimated_completion_tokens
from turns
where trace_id in (select value from json_each(:trace_ids))
order by trace_id, turn;

-- name: tool_calls_of_traces
-- All tool calls of some traces; last stand the fields of records.ImageFacts in their order.
-- Grain: one row per call, in order. :trace_ids is a JSON array. Boxes in source pixels, angles in
-- degrees.
select
  trace_id, turn, call_index, name, raw_arguments, arguments, source_index,
  box_left, box_top, box_right, box_bottom, angle, success, error_kind, flags, observation,
  image_index, image_sha256, image_width, image_height, full_width, full_height,
  image_pixels_xxh128
from tool_calls
where trace_id in (select value from json_each(:trace_ids))
order by trace_id, turn, call_index;

-- name: attempts_of_traces
-- The failed requests of some traces; behind the trace's id stand the fields of
-- records.FailedAttempt in their order.
-- Grain: one row per failed request, in order. :trace_ids is a JSON array.
select
  trace_id, turn, error_class, message, http_status, usage, response, estimated_prompt_tokens,
  estimated_completion_tokens
from attempts
where trace_id in (select value from json_each(:trace_ids))
order by trace_id, attempt;
