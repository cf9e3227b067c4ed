-- How many closed traces of each recipe geostore audit has looked at, and how many it has not yet.
-- Grain: as analytics/audited.
-- Units: counts of traces.
-- Dialect: SQLite.
with flagged as (
  select distinct trace_id
  from trace_flags
)
select
  substr(r.sha256, 1, 8) as recipe,
  r.model,
  count(*) as traces,
  count(a.trace_id) as audited,
  count(*) - count(a.trace_id) as not_audited,
  count(f.trace_id) as flagged
from traces as t
join recipes as r on r.id = t.recipe_id
left join audits as a on a.trace_id = t.id
left join flagged as f on f.trace_id = t.id
where t.status <> 'open'
group by r.sha256, r.model
order by r.model nulls last, 1
