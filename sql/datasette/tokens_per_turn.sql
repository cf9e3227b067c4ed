-- What each turn costs in tokens and time.
-- Grain: as analytics/tokens_per_turn, without quantiles, which SQLite has no function for.
-- Units: tokens, as means over the responses for which the server reported them; milliseconds.
-- Dialect: SQLite.
select
  turn,
  count(*) as responses,
  count(*) filter (where prompt_tokens is null or completion_tokens is null) as uncounted,
  avg(prompt_tokens) as mean_prompt_tokens,
  avg(completion_tokens) as mean_completion_tokens,
  avg(cached_tokens) as mean_cached_tokens,
  avg(latency_ms) as mean_latency_ms
from turns
group by turn
order by turn
