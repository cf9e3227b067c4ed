-- Whether tools help: the same samples with and without them, by the same model.
-- Grain: one row per model, and one over all of them, '(all)'. A pair is a sample and a model with a
-- closed trace of either kind; each side is first averaged over its rollouts and recipes. The model
-- of imported traces whose files do not name it is '(unknown)'.
-- Parameters: the reward whose scores count; the store's default where none is named.
-- Units: km; scores and shares from 0 to 1.
-- Columns:
--   pairs, *_km, *_score  each failure as 20,000 km, and as score 0 unless the reward
--                         gives it a score of its own
--   score_lift            mean score with tools less that without, with its 95 % interval (bootstrap over
--                         samples, null for fewer than two); tool_lift_by_difficulty has it by distance
--   share_tools_better    share of pairs with a smaller distance with tools, with its 95 % interval
--                         (Wilson); ties are not better
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
  from trace_results
  where status <> 'open' and distance_km_or_20000 is not null
  group by model, sample_id, with_tools
),
pairs as (
  select
    w.model,
    bootstrap_group(w.sample_id) as part,
    w.km as with_km,
    o.km as without_km,
    w.score as with_score,
    o.score as without_score,
    if(o.answered_km is null, null, w.answered_km) as answered_with_km,
    if(w.answered_km is null, null, o.answered_km) as answered_without_km
  from sides as w
  join sides as o on o.model is not distinct from w.model and o.sample_id = w.sample_id
  where w.with_tools and not o.with_tools
),
parts as (
  select
    model,
    part,
    grouping(model) as all_models,
    sum(with_score - without_score) as score_lift,
    count(with_score - without_score) as pairs
  from pairs
  group by grouping sets ((model, part), (part))
),
intervals as (
  select
    model,
    all_models,
    bootstrap(
      list(score_lift order by part) filter (pairs > 0), list(pairs order by part) filter (pairs > 0)
    ) as score_lift
  from parts
  group by model, all_models
),
summed as (
  select
    model,
    grouping(model) as all_models,
    count(*) as pairs,
    avg(with_km) as mean_km_with_tools,
    avg(without_km) as mean_km_without,
    median(with_km) as median_km_with_tools,
    median(without_km) as median_km_without,
    avg(with_score) as mean_score_with_tools,
    avg(without_score) as mean_score_without,
    avg(with_score - without_score) as score_lift,
    count(*) filter (with_km < without_km) as tools_better,
    count(answered_with_km) as answered_pairs,
    avg(answered_with_km) as answered_mean_km_with_tools,
    avg(answered_without_km) as answered_mean_km_without,
    median(answered_with_km) as answered_median_km_with_tools,
    median(answered_without_km) as answered_median_km_without
  from pairs
  group by grouping sets ((model), ())
)
select
  if(s.all_models = 1, '(all)', coalesce(s.model, '(unknown)')) as model,
  s.pairs,
  s.mean_km_with_tools,
  s.mean_km_without,
  s.median_km_with_tools,
  s.median_km_without,
  s.mean_score_with_tools,
  s.mean_score_without,
  s.score_lift,
  i.score_lift.low as score_lift_low,
  i.score_lift.high as score_lift_high,
  s.tools_better / nullif(s.pairs, 0) as share_tools_better,
  share_low(s.tools_better, s.pairs) as share_tools_better_low,
  share_high(s.tools_better, s.pairs) as share_tools_better_high,
  s.answered_pairs,
  s.answered_mean_km_with_tools,
  s.answered_mean_km_without,
  s.answered_median_km_with_tools,
  s.answered_median_km_without
from summed as s
left join intervals as i on i.all_models = s.all_models and i.model is not distinct from s.model
order by s.all_models, s.model
