-- How the accept rate of each model and recipe goes from day to day.
-- Grain: one row per recipe and day on which one of its traces was closed; the days in order.
-- Parameters: the reward whose scores count; the store's default where none is named.
--   min_score  number, default 0.3: the score from which a trace is accepted
-- Units: shares and scores from 0 to 1; days in UTC.
-- Columns:
--   day                 on which the traces were closed; an imported trace, on which it was imported
--   traces              closed on that day, with a score or a failure; failures: without coordinates
--   accepted            traces with such a score; a failure has score 0 unless the reward gives it another
--   accept_rate         accepted of traces, with its 95 % interval (Wilson)
--   accept_rate_parsed  accepted of the traces with coordinates, failures left out; likewise
--   mean_score          of the traces with coordinates; mean_score_failures_0: of all
-- Dialect: DuckDB, over the views of views.sql.
with counted as (
  select
    t.recipe,
    t.model,
    t.with_tools,
    left(k.closed_at, 10) as day,
    count(*) as traces,
    count(*) filter (t.failure) as failures,
    count(*) filter (t.score_or_0 >= $min_score) as accepted,
    count(*) filter (t.score_or_0 >= $min_score and not t.failure) as accepted_parsed,
    avg(t.score_or_0) filter (not t.failure) as mean_score,
    avg(t.score_or_0) as mean_score_failures_0
  from trace_results as t
  join traces as k on k.id = t.trace_id
  where t.score_or_0 is not null
  group by t.recipe, t.model, t.with_tools, day
)
select
  recipe,
  model,
  with_tools,
  day,
  traces,
  failures,
  accepted,
  accepted / traces as accept_rate,
  share_low(accepted, traces) as accept_rate_low,
  share_high(accepted, traces) as accept_rate_high,
  accepted_parsed / nullif(traces - failures, 0) as accept_rate_parsed,
  share_low(accepted_parsed, traces - failures) as accept_rate_parsed_low,
  share_high(accepted_parsed, traces - failures) as accept_rate_parsed_high,
  mean_score,
  mean_score_failures_0
from counted
order by model, with_tools desc, recipe, day
