-- What answers and tokens would be, had every trace stopped after 1, 2, ... turns; from one run.
-- Grain: one row per recipe and number of turns, up to the most that a trace of the recipe has; over
-- closed traces.
-- Parameters: the distances of the acc_*_km (--km); 25, 200 and 750 km where none is named.
-- Units: km on a sphere of radius 6371.0; shares from 0 to 1; GeoGuessr points 0 to 5000; tokens.
-- Columns:
--   stopped_after     turns after which every trace would have stopped
--   going_on          traces that had more turns; the others count with their final answer
--   answered          traces with coordinates: those stated last in a turn up to that one (table
--                     interim_answers), however unsure; the teacher was not asked for them
--   acc_*_km, mean_geoguessr_points
--                     a trace without coordinates is a miss and has 0 points; answered_*: it is left
--                     out. A trace that failed has none at any turn, because its turns are not read
--   *_low, *_high     the 95 % interval of a share (Wilson)
--   median_km         of the answered; median_km_failures_20000: the others as 20,000 km
--   tokens            of all turns up to that one, as far as the server counted them; uncounted_turns:
--                     those that it did not. tokens_per_trace: over all traces of the recipe
-- Points and distances follow from the coordinates, whatever the store's reward is.
-- Dialect: DuckDB, over the views of views.sql.
with
played as (
  select
    trace_id, recipe, model, lat as true_lat, lon as true_lon,
    answer_lat as lat, answer_lon as lon, turns
  from trace_results
  where status <> 'open'
),
-- The final answer counts from the last turn on, also where it gives no coordinates.
stated as (
  select i.trace_id, i.turn, i.lat, i.lon
  from interim_answers as i
  join trace_facts as f on f.trace_id = i.trace_id and f.parser_version = i.parser_version
  union all
  select trace_id, turns as turn, lat, lon
  from played
  where turns > 0
),
spent as (
  select
    p.recipe,
    p.model,
    k.turn,
    sum(k.total_tokens) as tokens,
    count(*) filter (k.total_tokens is null) as uncounted
  from turns as k
  join played as p on p.trace_id = k.trace_id
  group by p.recipe, p.model, k.turn
),
budgets as (
  select
    recipe,
    model,
    turn,
    sum(tokens) over so_far as tokens,
    sum(uncounted) over so_far as uncounted
  from spent
  window so_far as (partition by recipe, model order by turn)
),
-- Each trace after each number of turns, with what it stated last until then.
stopped as (
  select
    b.recipe,
    b.model,
    b.turn,
    b.tokens,
    b.uncounted,
    p.turns > b.turn as going_on,
    p.true_lat,
    p.true_lon,
    last_value(
      if(s.trace_id is null, null, struct_pack(lat := s.lat, lon := s.lon)) ignore nulls
    ) over (partition by p.trace_id order by b.turn) as place
  from budgets as b
  join played as p on p.recipe = b.recipe and p.model is not distinct from b.model
  left join stated as s on s.trace_id = p.trace_id and s.turn = b.turn
),
measured as (
  select
    *,
    km_between(place.lat, place.lon, true_lat, true_lon) as km
  from stopped
)
select
  recipe,
  model,
  turn as stopped_after,
  count(*) as traces,
  count(*) filter (going_on) as going_on,
  count(km) as answered,
  avg(coalesce(km <= 25, false)::integer) as acc_25_km,
  avg(coalesce(km <= 200, false)::integer) as acc_200_km,
  avg(coalesce(km <= 750, false)::integer) as acc_750_km,
  share_low(count(*) filter (km <= 25), count(*)) as acc_25_km_low,
  share_low(count(*) filter (km <= 200), count(*)) as acc_200_km_low,
  share_low(count(*) filter (km <= 750), count(*)) as acc_750_km_low,
  share_high(count(*) filter (km <= 25), count(*)) as acc_25_km_high,
  share_high(count(*) filter (km <= 200), count(*)) as acc_200_km_high,
  share_high(count(*) filter (km <= 750), count(*)) as acc_750_km_high,
  median(coalesce(km, 20000.0)) as median_km_failures_20000,
  avg(coalesce(round(5000 * exp(-km / 1492.7)), 0)) as mean_geoguessr_points,
  avg((km <= 25)::integer) as answered_acc_25_km,
  avg((km <= 200)::integer) as answered_acc_200_km,
  avg((km <= 750)::integer) as answered_acc_750_km,
  share_low(count(*) filter (km <= 25), count(km)) as answered_acc_25_km_low,
  share_low(count(*) filter (km <= 200), count(km)) as answered_acc_200_km_low,
  share_low(count(*) filter (km <= 750), count(km)) as answered_acc_750_km_low,
  share_high(count(*) filter (km <= 25), count(km)) as answered_acc_25_km_high,
  share_high(count(*) filter (km <= 200), count(km)) as answered_acc_200_km_high,
  share_high(count(*) filter (km <= 750), count(km)) as answered_acc_750_km_high,
  median(km) as median_km,
  avg(round(5000 * exp(-km / 1492.7))) as answered_mean_geoguessr_points,
  any_value(tokens)::bigint as tokens,
  any_value(tokens) / count(*) as tokens_per_trace,
  any_value(uncounted)::bigint as uncounted_turns
from measured
group by recipe, model, turn
order by model, recipe, turn
