-- What the traces of a report are of.
-- Grain: one row. Dialect: DuckDB, over the views of views.sql.
--   models, datasets  names, sorted; a model that no file names is left out
--   recipes           how many
--   closed, open      traces
--   newest            when the last trace was closed, ISO-8601 UTC; null without one
select
  list_sort(list(distinct r.model) filter (r.model is not null)) as models,
  list_sort(list(distinct r.dataset)) as datasets,
  count(distinct r.recipe) as recipes,
  count(*) filter (r.status <> 'open') as closed,
  count(*) filter (r.status = 'open') as open,
  count(*) filter (not r.failure and r.distance_km is null) as unscored,
  max(t.closed_at) as newest
from trace_results as r
join traces as t on t.id = r.trace_id
