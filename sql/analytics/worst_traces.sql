-- The worst traces: what they answered, and how far off that is.
-- Grain: one row per closed trace, the worst first. A trace without coordinates counts as 20,000 km
-- off, and as score 0 unless the reward gives it a score; of equals, one without a response comes
-- last. What has no score yet is left out. geostore traces --worst lists them in the same order, and by
-- conditions.
-- Parameters: the reward whose scores count; the store's default where none is named.
--   most  integer from 1 to 1000000000, default 20: how many rows there are at most
-- Units: km; scores from 0 to 1.
-- Columns: as in trace_results of views.sql, but for
--   why  why a trace has no coordinates; null where it has them
-- Dialect: DuckDB, over the views of views.sql.
select
  trace,
  status,
  if(failure, if(status = 'answered', answer_failure, stop_reason), null) as why,
  distance_km,
  score,
  country,
  model,
  with_tools,
  turns,
  tool_calls
from trace_results
where score_or_0 is not null
order by
  score_or_0, distance_km_or_20000 desc, status = 'failed', dataset, sample_index, recipe, rollout
limit $most
