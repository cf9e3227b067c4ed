-- Records a failed request under the trace's next attempt number.
-- Grain: one row per failed request. Dialect: SQLite.
insert into attempts (
  trace_id, attempt, turn, error_class, message, http_status, usage, run_id, created_at
)
select
  :trace_id, 1 + coalesce(max(attempt), 0), :turn, :error_class, :message, :http_status, :usage,
  :run_id, :now
from attempts
where trace_id = :trace_id
