-- Whether the teacher is as often right as it says it is sure: stated confidence against distance.
-- Grain: one row per recipe, form in which a confidence was written, and band of confidence; closed
-- traces that state none are the recipe's last row. A band holds its lower bound and not its upper
-- one; the last, 0.9-1, holds both. Each of five levels (1-5, or words) has a band of its own.
-- Parameters: the reward whose scores count; the store's default where none is named. The distances of
-- the acc_*_km (--km); 25, 200 and 750 km where none is named.
--   min_score  number, default 0.3: the score from which a trace is accepted
-- Units: km; scores, shares and confidences from 0 to 1.
-- Columns:
--   confidence_form  1-5, 1-10, percent, fraction or words; null where none is stated
--   confidence       the band; 'not stated' where none is
--   traces           closed traces, each failure among them
--   failures         those without coordinates; an answer without any may state a confidence
--   scored           traces that have a distance or are failures, of which the acc_*_km are shares
--   note             'n < 30' where so few traces say little: one of them changes a share by over
--                    3 points
--   mean_confidence  of the traces; a teacher is calibrated where a share of right answers is as large
--   median_km, mean_score, acc_*_km_parsed, accept_rate_parsed
--                    over the traces with coordinates, failures left out
--   *_failures_20000, *_failures_0, acc_*_km, accept_rate
--                    with each failure as 20,000 km, outside of each distance, and as score 0 (not
--                    accepted) unless the reward gives it a score of its own
--   *_low, *_high    the 95 % interval of a share (Wilson)
-- Dialect: DuckDB, over the views of views.sql.
with banded as (
  select
    *,
    -- A decimal fraction such as 0.7 may be stored a little below its value.
    if(confidence is null, null, least(floor(confidence * 10 + 1e-9), 9)::integer) as band
  from trace_results
  where status <> 'open'
)
select
  recipe,
  model,
  with_tools,
  confidence_form,
  case
    when band is null then 'not stated'
    when band = 9 then '0.9-1'
    else printf('%g-%g', band / 10, (band + 1) / 10)
  end as confidence,
  count(*) as traces,
  count(*) filter (failure) as failures,
  count(distance_km_or_20000) as scored,
  if(count(*) < 30, 'n < 30', null) as note,
  avg(banded.confidence) as mean_confidence,
  median(distance_km) as median_km,
  median(distance_km_or_20000) as median_km_failures_20000,
  avg(score) filter (not failure) as mean_score,
  avg(score_or_0) as mean_score_failures_0,
  avg(if(failure, 0, (distance_km <= 25)::integer)) as acc_25_km,
  avg(if(failure, 0, (distance_km <= 200)::integer)) as acc_200_km,
  avg(if(failure, 0, (distance_km <= 750)::integer)) as acc_750_km,
  share_low(count(*) filter (distance_km <= 25), count(distance_km_or_20000)) as acc_25_km_low,
  share_low(count(*) filter (distance_km <= 200), count(distance_km_or_20000)) as acc_200_km_low,
  share_low(count(*) filter (distance_km <= 750), count(distance_km_or_20000)) as acc_750_km_low,
  share_high(count(*) filter (distance_km <= 25), count(distance_km_or_20000)) as acc_25_km_high,
  share_high(count(*) filter (distance_km <= 200), count(distance_km_or_20000)) as acc_200_km_high,
  share_high(count(*) filter (distance_km <= 750), count(distance_km_or_20000)) as acc_750_km_high,
  avg((distance_km <= 25)::integer) filter (not failure) as acc_25_km_parsed,
  avg((distance_km <= 200)::integer) filter (not failure) as acc_200_km_parsed,
  avg((distance_km <= 750)::integer) filter (not failure) as acc_750_km_parsed,
  share_low(count(*) filter (distance_km <= 25), count(distance_km)) as acc_25_km_parsed_low,
  share_low(count(*) filter (distance_km <= 200), count(distance_km)) as acc_200_km_parsed_low,
  share_low(count(*) filter (distance_km <= 750), count(distance_km)) as acc_750_km_parsed_low,
  share_high(count(*) filter (distance_km <= 25), count(distance_km)) as acc_25_km_parsed_high,
  share_high(count(*) filter (distance_km <= 200), count(distance_km)) as acc_200_km_parsed_high,
  share_high(count(*) filter (distance_km <= 750), count(distance_km)) as acc_750_km_parsed_high,
  avg((score_or_0 >= $min_score)::integer) as accept_rate,
  share_low(count(*) filter (score_or_0 >= $min_score), count(score_or_0)) as accept_rate_low,
  share_high(count(*) filter (score_or_0 >= $min_score), count(score_or_0)) as accept_rate_high,
  avg((score >= $min_score)::integer) filter (not failure) as accept_rate_parsed,
  share_low(count(*) filter (score >= $min_score and not failure), count(score) filter (not failure))
    as accept_rate_parsed_low,
  share_high(count(*) filter (score >= $min_score and not failure), count(score) filter (not failure))
    as accept_rate_parsed_high
from banded
group by recipe, model, with_tools, confidence_form, band
order by model, with_tools desc, recipe, band is null, confidence_form, band
