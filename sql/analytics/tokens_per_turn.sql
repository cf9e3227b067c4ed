-- What each turn costs in tokens and time.
-- Grain: one row per turn number, from 1; over all responses, also those of open traces.
-- Parameters: none.
-- Units: tokens, as means over the responses for which the server reported them; milliseconds.
-- Dialect: DuckDB.
select
  turn,
  count(*) as responses,
  avg(prompt_tokens) as mean_prompt_tokens,
  avg(completion_tokens) as mean_completion_tokens,
  avg(cached_tokens) as mean_cached_tokens,
  avg(latency_ms) as mean_latency_ms
from turns
group by turn
order by turn
