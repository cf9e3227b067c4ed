-- How many traces each check of geostore audit flagged, per recipe.
-- Grain: as analytics/flags, without intervals.
-- Units: counts of traces; shares from 0 to 1.
-- Dialect: SQLite.
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
  substr(r.sha256, 1, 8) as recipe,
  r.model,
  f.flag,
  f.traces,
  f.traces * 1.0 / a.traces as share,
  a.traces as audited
from flagged as f
join audited as a on a.recipe_id = f.recipe_id
join recipes as r on r.id = f.recipe_id
order by r.model nulls last, 1, f.traces desc, f.flag
