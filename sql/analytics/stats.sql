-- The whole batch in one row, and each recipe in one: traces, answers, distances, tools, tokens, cost.
-- Grain: one row per recipe, and one over the store (recipe, model, with_tools null).
-- Distances in km; *_failures_20000 counts each failure as 20,000 km, *_failures_0 as score 0, and
-- acc_*_km as a miss; the others leave failures out. Rates and distances are of closed traces;
-- turns, calls and tokens of all.
--   cost  of all turns and billed failures, of the models that have a price; null where none has.
--         Per trace: for each closed one of those models; per accepted trace: for each of them with
--         score >= 0.3. unpriced_turns are not in it: no price, or no count of their tokens
-- Dialect: DuckDB, over the view of views.sql.
select
  recipe,
  model,
  with_tools,
  count(*) as traces,
  count(*) filter (status = 'open') as open,
  count(*) filter (status = 'answered') as answered,
  count(*) filter (status = 'exhausted') as exhausted,
  count(*) filter (status = 'failed') as failed,
  avg((not failure)::integer) as parse_success_rate,
  count(*) filter (failure) as failures,
  count(*) filter (not failure and distance_km is null) as unscored,
  avg(distance_km) as mean_km,
  median(distance_km) as median_km,
  avg(distance_km_or_20000) as mean_km_failures_20000,
  median(distance_km_or_20000) as median_km_failures_20000,
  avg(score) as mean_score,
  avg(score_or_0) as mean_score_failures_0,
  avg(geoguessr_points) as mean_geoguessr_points,
  avg((distance_km_or_20000 <= 1)::integer) as acc_1_km,
  avg((distance_km_or_20000 <= 25)::integer) as acc_25_km,
  avg((distance_km_or_20000 <= 200)::integer) as acc_200_km,
  avg((distance_km_or_20000 <= 750)::integer) as acc_750_km,
  avg((distance_km_or_20000 <= 2500)::integer) as acc_2500_km,
  coalesce(sum(turns), 0)::bigint as turns,
  avg(turns) as mean_turns,
  max(turns) as max_turns,
  coalesce(sum(tool_calls), 0)::bigint as tool_calls,
  1 - sum(failed_tool_calls) / nullif(sum(tool_calls), 0) as tool_success_rate,
  sum(prompt_tokens)::bigint as prompt_tokens,
  sum(completion_tokens)::bigint as completion_tokens,
  sum(total_tokens)::bigint as total_tokens,
  avg(total_tokens) as mean_tokens,
  sum(cost) as cost,
  sum(cost) / nullif(count(cost) filter (status <> 'open'), 0) as cost_per_trace,
  sum(cost) / nullif(count(cost) filter (score_or_0 >= 0.3), 0) as cost_per_accepted_trace,
  coalesce(sum(unpriced_turns), 0)::bigint as unpriced_turns
from trace_results
group by grouping sets ((recipe, model, with_tools), ())
order by grouping(recipe) desc, model, with_tools desc, recipe
