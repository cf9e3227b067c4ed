-- Records a teacher response, before anything is done with it.
-- Grain: one row per turn. latency in milliseconds. Dialect: SQLite.
insert or ignore into turns (
  trace_id, turn, response, reasoning, reasoning_source, native_calls, finish_reason, turn_limit,
  request_sha256, prompt_tokens, completion_tokens, total_tokens, cached_tokens, reasoning_tokens,
  latency_ms, served_model, request_id, run_id, messages, created_at
)
values (
  :trace_id, :turn, :response, :reasoning, :reasoning_source, :native_calls, :finish_reason,
  :turn_limit, :request_sha256, :prompt_tokens, :completion_tokens, :total_tokens, :cached_tokens,
  :reasoning_tokens, :latency_ms, :served_model, :request_id, :run_id, :messages, :now
)
