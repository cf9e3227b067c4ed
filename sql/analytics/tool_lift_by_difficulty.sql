-- By how much tools raise the share of right answers, on hard and easy photos, at several distances.
-- Grain: one row per model, bin of locatability and distance; and the same over all models, '(all)', and
-- over all photos, 'all'. A pair is a sample and a model with a closed trace that has a distance or is a
-- failure, both with tools and without; each side is first averaged over its rollouts and recipes.
-- The model of imported traces whose files do not name it is '(unknown)'.
-- Parameters: the reward whose distances count; the store's default where none is named.
--   km    numbers from 0, default 25,200,750: the distances within which an answer is right
--   bins  integer from 1 to 100, default 10: into how many bins of one width locatability is put
-- Units: km; shares from 0 to 1, and their differences from -1 to 1; locatability from 0 (hard) to 1.
-- Columns:
--   bin             from 1, the hardest; null over all photos, and where locatability is not known
--   locatability    bounds of the bin; 'all'; 'unknown'
--   pairs           all of them, in which a failure is a miss
--   acc_with_tools, acc_without
--                   the share of right answers on either side, each with its 95 % interval (Wilson)
--   lift            the first less the second; lift_low, lift_high: its 95 % interval (bootstrap over
--                   samples, null for fewer than two)
--   parsed_pairs    pairs with coordinates on both sides; lift_parsed, _low, _high: over these, with
--                   failures left out
-- Dialect: DuckDB, over the views of views.sql.
with
-- What a failure has in its stead is null, which is within no distance.
sides as (
  select
    model,
    sample_id,
    with_tools,
    any_value(locatability_score) as locatability_score,
    list(if(failure, null, distance_km)) as distances,
    count(*) filter (not failure) as parsed
  from trace_results
  where distance_km_or_20000 is not null
  group by model, sample_id, with_tools
),
pairs as (
  select
    w.model,
    bin_of(w.locatability_score, $bins) as bin,
    bootstrap_group(w.sample_id) as part,
    w.distances as with_distances,
    o.distances as without_distances,
    w.parsed as with_parsed,
    o.parsed as without_parsed
  from sides as w
  join sides as o on o.model is not distinct from w.model and o.sample_id = w.sample_id
  where w.with_tools and not o.with_tools
),
hits as (
  select
    p.*,
    k.km,
    len(list_filter(p.with_distances, lambda d: d <= k.km)) as with_hits,
    len(list_filter(p.without_distances, lambda d: d <= k.km)) as without_hits
  from pairs as p
  cross join (select unnest($km::double[]) as km) as k
),
parts as (
  select
    model,
    bin,
    km,
    part,
    grouping(model) as all_models,
    grouping(bin) as all_bins,
    count(*) as pairs,
    sum(with_hits / len(with_distances)) as with_tools,
    sum(without_hits / len(without_distances)) as without,
    count(*) filter (with_parsed > 0 and without_parsed > 0) as parsed_pairs,
    coalesce(
      sum(with_hits / with_parsed - without_hits / without_parsed)
        filter (with_parsed > 0 and without_parsed > 0),
      0
    ) as parsed_lift
  from hits
  group by grouping sets ((model, bin, km, part), (model, km, part), (bin, km, part), (km, part))
),
summed as (
  select
    model,
    bin,
    km,
    all_models,
    all_bins,
    sum(pairs)::bigint as pairs,
    sum(with_tools) as with_tools,
    sum(without) as without,
    sum(parsed_pairs)::bigint as parsed_pairs,
    sum(parsed_lift) as parsed_lift,
    bootstrap(list(with_tools - without order by part), list(pairs order by part)) as interval,
    bootstrap(
      list(parsed_lift order by part) filter (parsed_pairs > 0),
      list(parsed_pairs order by part) filter (parsed_pairs > 0)
    ) as parsed_interval
  from parts
  group by model, bin, km, all_models, all_bins
)
select
  if(all_models = 1, '(all)', coalesce(model, '(unknown)')) as model,
  bin,
  case
    when all_bins = 1 then 'all'
    when bin is null then 'unknown'
    else bin_name(bin, $bins)
  end as locatability,
  km,
  pairs,
  with_tools / pairs as acc_with_tools,
  share_low(with_tools, pairs) as acc_with_tools_low,
  share_high(with_tools, pairs) as acc_with_tools_high,
  without / pairs as acc_without,
  share_low(without, pairs) as acc_without_low,
  share_high(without, pairs) as acc_without_high,
  (with_tools - without) / pairs as lift,
  interval.low as lift_low,
  interval.high as lift_high,
  parsed_pairs,
  parsed_lift / nullif(parsed_pairs, 0) as lift_parsed,
  parsed_interval.low as lift_parsed_low,
  parsed_interval.high as lift_parsed_high
from summed
order by all_models, summed.model, all_bins desc, bin nulls last, km
