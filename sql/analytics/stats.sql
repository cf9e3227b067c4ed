-- The whole batch in one row, and each recipe: traces, answers, distances, tools, tokens, cost.
-- Grain: one row over the store (recipe (all); model, with_tools null), then one row per recipe.
-- Parameters: the reward whose scores count; the store's default where none is named. The distances
-- of accuracy (--km); 1, 25, 200, 750 and 2500 km where none is named.
-- Units: km, tokens, shares from 0 to 1; costs in the currency of the prices.
-- Columns: as in recipe_results of views.sql, and
--   accuracy  a list, the nearest distance first: within, km, traces, acc and acc_parsed as in
--             accuracy_results, and low and high, the 95 % interval of acc (Wilson)
--   unplaced  closed traces of which a place is not computed yet (geostore rescore computes it)
-- In the row over the store, costs are of the models that have a price, and null where none has.
-- Dialect: DuckDB, over the views of views.sql.
with accuracy as (
  select
    recipe,
    list(
      {
        'within': within,
        'km': km,
        'traces': traces,
        'acc': acc,
        'acc_parsed': acc_parsed,
        'low': share_low(hits, traces),
        'high': share_high(hits, traces)
      }
      order by km, within
    ) as accuracy
  from accuracy_sums
  group by recipe
),
unplaced_traces as (
  select recipe, count(*) as traces
  from unplaced
  group by grouping sets ((recipe), ())
)
select
  coalesce(s.recipe, '(all)') as recipe,
  s.model,
  s.with_tools,
  s.traces,
  s.open,
  s.answered,
  s.exhausted,
  s.failed,
  parse_success_rate,
  failures,
  unscored,
  mean_km,
  median_km,
  mean_km_failures_20000,
  median_km_failures_20000,
  mean_score,
  mean_score_failures_0,
  mean_geoguessr_points,
  under_3_km,
  under_3_km_parsed,
  -- A store without a trace has no row in accuracy_sums.
  coalesce(
    a.accuracy,
    list_transform(
      accuracy_km(),
      lambda km: {
        'within': null::varchar,
        'km': km,
        'traces': 0::bigint,
        'acc': null::double,
        'acc_parsed': null::double,
        'low': null::double,
        'high': null::double
      }
    )
  ) as accuracy,
  coalesce(u.traces, 0) as unplaced,
  turns,
  mean_turns,
  max_turns,
  tool_calls,
  tool_success_rate,
  prompt_tokens,
  cached_tokens,
  cache_write_tokens,
  completion_tokens,
  total_tokens,
  mean_tokens,
  estimated_tokens,
  uncounted_turns,
  cost,
  cost_per_trace,
  cost_per_accepted_trace,
  stated_cost,
  unpriced_turns
from result_sums as s
left join accuracy as a on a.recipe is not distinct from s.recipe
left join unplaced_traces as u on u.recipe is not distinct from s.recipe
order by s.recipe is not null, s.model, s.with_tools desc, s.recipe
