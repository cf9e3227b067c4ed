-- The share of traces within 1, 25, 200, 750 and 2500 km (acc@km), per recipe.
-- Grain: one row per recipe with a closed trace. Over all closed traces: a failure is a miss.
-- acc_*_km are shares (0..1); a distance on the border is within. Traces with coordinates whose
-- reward is yet to be computed are left out (geostore rescore computes it).
-- Dialect: DuckDB, over the view of views.sql.
select
  recipe,
  model,
  with_tools,
  count(*) as traces,
  count(*) filter (failure) as failures,
  avg((distance_km_or_20000 <= 1)::integer) as acc_1_km,
  avg((distance_km_or_20000 <= 25)::integer) as acc_25_km,
  avg((distance_km_or_20000 <= 200)::integer) as acc_200_km,
  avg((distance_km_or_20000 <= 750)::integer) as acc_750_km,
  avg((distance_km_or_20000 <= 2500)::integer) as acc_2500_km
from trace_results
where status <> 'open'
group by recipe, model, with_tools
order by model, with_tools desc, recipe
