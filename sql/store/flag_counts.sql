-- How many traces each check flagged, with the names of the first three, and how many were audited.
-- Grain: one row per check that flagged a trace, by name, and a first one over all audited traces
-- (flag null). Dialect: SQLite.
with
several as (
  select count(*) > 1 as datasets from datasets
),
ranked as (
  select
    f.flag,
    f.trace_id,
    row_number() over (partition by f.flag order by f.trace_id) as place,
    count(*) over (partition by f.flag) as traces
  from trace_flags as f
)
select null as flag, (select count(*) from audits) as traces, '[]' as examples
union all
select
  k.flag,
  k.traces,
  json_group_array(
    iif(several.datasets, d.name || ':', '') || s.sample_index || '-' || substr(r.sha256, 1, 8)
    || '-' || t.rollout
  ) as examples
from (select * from ranked where place <= 3 order by flag, place) as k
join traces as t on t.id = k.trace_id
join samples as s on s.id = t.sample_id
join datasets as d on d.id = s.dataset_id
join recipes as r on r.id = t.recipe_id
join several
group by k.flag
order by 1
