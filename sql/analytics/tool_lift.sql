-- Whether tools help: the same samples with and without them, by the same model.
-- Grain: one row per model, and one over all of them, '(all)'. A pair is a sample and a model with a
-- closed trace of either kind; each side is first averaged over its rollouts and recipes. The model
-- of imported traces whose files do not name it is '(unknown)'.
-- Parameters: the reward whose scores count; the store's default where none is named.
-- Units: km; scores and shares from 0 to 1.
-- Columns:
--   pairs, *_km, *_score  each failure as 20,000 km, and as score 0 unless the reward
--                         gives it a score of its own
--   share_tools_better    share of pairs with a smaller distance with tools; ties are not better
--   answered_pairs, answered_*_km
--                         over the pairs in which either side has coordinates, failures left out
-- Dialect: DuckDB, over the views of views.sql.
with
sides as (
  select
    model,
    sample_id,
    with_tools,
    avg(distance_km_or_20000) as km,
    avg(score_or_0) as score,
    avg(distance_km) as answered_km
  from trace_outcomes
  where status <> 'open' and distance_km_or_20000 is not null
  group by model, sample_id, with_tools
),
pairs as (
  select
    w.model,
    w.km as with_km,
    o.km as without_km,
    w.score as with_score,
    o.score as without_score,
    if(o.answered_km is null, null, w.answered_km) as answered_with_km,
    if(w.answered_km is null, null, o.answered_km) as answered_without_km
  from sides as w
  join sides as o on o.model is not distinct from w.model and o.sample_id = w.sample_id
  where w.with_tools and not o.with_tools
)
select
  if(grouping(model) = 1, '(all)', coalesce(model, '(unknown)')) as model,
  count(*) as pairs,
  avg(with_km) as mean_km_with_tools,
  avg(without_km) as mean_km_without,
  median(with_km) as median_km_with_tools,
  median(without_km) as median_km_without,
  avg(with_score) as mean_score_with_tools,
  avg(without_score) as mean_score_without,
  avg((with_km < without_km)::integer) as share_tools_better,
  count(answered_with_km) as answered_pairs,
  avg(answered_with_km) as answered_mean_km_with_tools,
  avg(answered_without_km) as answered_mean_km_without,
  median(answered_with_km) as answered_median_km_with_tools,
  median(answered_without_km) as answered_median_km_without
from pairs
group by grouping sets ((model), ())
order by grouping(pairs.model), pairs.model
