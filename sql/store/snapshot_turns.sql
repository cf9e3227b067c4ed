-- All turns of some traces.
-- Grain: one row per turn, in order. :trace_ids is a JSON array. Dialect: SQLite.
select
  trace_id, turn, response, reasoning, reasoning_source, native_calls, finish_reason, turn_limit,
  request_sha256, prompt_tokens, completion_tokens, total_tokens, cached_tokens, reasoning_tokens,
  latency_ms, served_model, request_id, messages
from turns
where trace_id in (select value from json_each(:trace_ids))
order by trace_id, turn
