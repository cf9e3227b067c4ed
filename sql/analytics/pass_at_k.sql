-- How often at least one of k rollouts is right: unbiased pass@k, over all photos and by difficulty.
-- Grain: one row per recipe, bin of locatability and k; and over all photos, 'all'. Over samples with at
-- least k closed rollouts that have a distance or are failures.
-- Parameters: the reward whose distances count; the store's default where none is named.
--   km    number from 0, default 25: the distance within which an answer is right
--   k     integers from 1 to 1000, default 1,2,4,8: how many rollouts are tried
--   bins  integer from 1 to 100, default 10: into how many bins of one width locatability is put
-- Units: km; shares from 0 to 1; locatability from 0 (hard) to 1.
-- Columns:
--   bin              from 1, the hardest; null over all photos, and where locatability is not known
--   locatability     bounds of the bin; 'all'; 'unknown'
--   samples          with at least k such rollouts; a failure is a miss
--   pass_at_k        their mean chance that one of k rollouts is right, of all choices of k from those
--                    that there are; _low, _high: its 95 % interval (Wilson), which is too wide rather
--                    than too narrow, because a chance is known better than one hit or miss
--   samples_parsed, pass_at_k_parsed
--                    the same where failures are left out of the rollouts
-- Dialect: DuckDB, over the views of views.sql.
with
tried as (
  select
    recipe,
    model,
    with_tools,
    sample_id,
    bin_of(any_value(locatability_score), $bins) as bin,
    count(*) as rollouts,
    count(*) filter (not failure) as parsed,
    count(*) filter (not failure and distance_km <= $km) as passes
  from trace_results
  where distance_km_or_20000 is not null
  group by recipe, model, with_tools, sample_id
),
alike as (
  select recipe, model, with_tools, bin, rollouts, parsed, passes, count(*) as samples
  from tried
  group by recipe, model, with_tools, bin, rollouts, parsed, passes
),
summed as (
  select
    a.recipe,
    a.model,
    a.with_tools,
    a.bin,
    grouping(a.bin) as all_bins,
    k.k,
    coalesce(sum(a.samples) filter (a.rollouts >= k.k), 0) as samples,
    sum(a.samples * pass_at(k.k, a.rollouts, a.passes)) as passes,
    coalesce(sum(a.samples) filter (a.parsed >= k.k), 0) as samples_parsed,
    sum(a.samples * pass_at(k.k, a.parsed, a.passes)) as passes_parsed
  from alike as a
  cross join (select unnest($k::bigint[]) as k) as k
  group by grouping sets (
    (a.recipe, a.model, a.with_tools, a.bin, k.k), (a.recipe, a.model, a.with_tools, k.k)
  )
)
select
  recipe,
  model,
  with_tools,
  bin,
  case
    when all_bins = 1 then 'all'
    when bin is null then 'unknown'
    else bin_name(bin, $bins)
  end as locatability,
  k,
  samples::bigint as samples,
  passes / samples as pass_at_k,
  share_low(passes, samples) as pass_at_k_low,
  share_high(passes, samples) as pass_at_k_high,
  samples_parsed::bigint as samples_parsed,
  passes_parsed / nullif(samples_parsed, 0) as pass_at_k_parsed,
  share_low(passes_parsed, samples_parsed) as pass_at_k_parsed_low,
  share_high(passes_parsed, samples_parsed) as pass_at_k_parsed_high
from summed
where samples > 0
order by model, with_tools desc, recipe, all_bins desc, bin nulls last, k
