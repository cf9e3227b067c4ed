-- How many traces each check of geostore audit flagged, per recipe.
-- Grain: one row per recipe and check that flagged any of its traces.
-- Parameters: none.
-- Units: counts of traces; shares from 0 to 1.
-- Columns:
--   traces   those that the check flagged; share: of the audited ones, with its 95 % interval (Wilson)
--   audited  traces of the recipe that were audited
-- Dialect: DuckDB, over the macros of views.sql.
with
audited as (
  select t.recipe_id, count(*) as traces
  from audits as a
  join traces as t on t.id = a.trace_id
  group by t.recipe_id
),
flagged as (
  select t.recipe_id, f.flag, count(*) as traces
  from trace_flags as f
  join traces as t on t.id = f.trace_id
  group by t.recipe_id, f.flag
)
select
  left(r.sha256, 8) as recipe,
  r.model,
  f.flag,
  f.traces,
  f.traces / a.traces as share,
  share_low(f.traces, a.traces) as share_low,
  share_high(f.traces, a.traces) as share_high,
  a.traces as audited
from flagged as f
join audited as a on a.recipe_id = f.recipe_id
join recipes as r on r.id = f.recipe_id
order by r.model, recipe, f.traces desc, f.flag
