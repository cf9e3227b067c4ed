-- All turns of a trace.
-- Grain: one row per turn, in order. Dialect: SQLite.
select
  turn, response, reasoning, reasoning_source, native_calls, finish_reason, turn_limit,
  request_sha256, prompt_tokens, completion_tokens, total_tokens, cached_tokens, reasoning_tokens,
  latency_ms, served_model, request_id, messages
from turns
where trace_id = :trace_id
order by turn
