-- What each turn costs in tokens and time: means, the middle one, and the highest of twenty.
-- Grain: one row per turn number, from 1; over all responses, also those of open traces.
-- Parameters: none.
-- Units: tokens and milliseconds, over the responses for which they are known.
-- Columns:
--   responses   all of that turn; uncounted: those whose prompt or completion the server did not count
--   p50_*       half of the responses have at most so many
--   p95_*       19 of 20 responses have at most so many
-- Dialect: DuckDB.
select
  turn,
  count(*) as responses,
  count(*) filter (prompt_tokens is null or completion_tokens is null) as uncounted,
  avg(prompt_tokens) as mean_prompt_tokens,
  avg(completion_tokens) as mean_completion_tokens,
  quantile_cont(completion_tokens, 0.5) as p50_completion_tokens,
  quantile_cont(completion_tokens, 0.95) as p95_completion_tokens,
  avg(cached_tokens) as mean_cached_tokens,
  avg(latency_ms) as mean_latency_ms,
  quantile_cont(latency_ms, 0.5) as p50_latency_ms,
  quantile_cont(latency_ms, 0.95) as p95_latency_ms
from turns
group by turn
order by turn
