-- Whether tools help: the same samples with and without them, by the same model.
-- Grain: as analytics/tool_lift, without medians and intervals, which SQLite has no function for.
-- Units: km; scores and shares from 0 to 1.
-- Dialect: SQLite, over the views of the schema.
with
sides as (
  select
    model,
    sample_id,
    with_tools,
    avg(distance_km_or_20000) as km,
    avg(score_or_0) as score,
    avg(distance_km) as answered_km
  from trace_results
  where status <> 'open' and distance_km_or_20000 is not null
  group by model, sample_id, with_tools
),
pairs as (
  select
    coalesce(w.model, '(unknown)') as model,
    w.km as with_km,
    o.km as without_km,
    w.score as with_score,
    o.score as without_score,
    case when o.answered_km is not null then w.answered_km end as answered_with_km,
    case when w.answered_km is not null then o.answered_km end as answered_without_km
  from sides as w
  join sides as o on o.model is w.model and o.sample_id = w.sample_id
  where w.with_tools and not o.with_tools
),
counted as (
  select 0 as is_all, * from pairs
  union all
  select 1 as is_all, '(all)' as model, with_km, without_km, with_score, without_score,
    answered_with_km, answered_without_km
  from pairs
)
select
  model,
  count(*) as pairs,
  avg(with_km) as mean_km_with_tools,
  avg(without_km) as mean_km_without,
  avg(with_score) as mean_score_with_tools,
  avg(without_score) as mean_score_without,
  avg(with_score - without_score) as score_lift,
  avg(with_km < without_km) as share_tools_better,
  count(answered_with_km) as answered_pairs,
  avg(answered_with_km) as answered_mean_km_with_tools,
  avg(answered_without_km) as answered_mean_km_without
from counted
group by is_all, model
order by is_all, model
