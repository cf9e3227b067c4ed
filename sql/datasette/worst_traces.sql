-- The 20 worst traces: what they answered, and how far off that is.
-- Grain: as analytics/worst_traces.
-- Units: km; scores from 0 to 1.
-- Dialect: SQLite, over the views of the schema.
select
  trace,
  status,
  case when failure then case when status = 'answered' then answer_failure else stop_reason end end
    as why,
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
limit 20
