-- Which model answers better on the samples that both have answered: wins, ties and losses.
-- Grain: one row per two models (or recipes), in the order of their names, over the samples of which both
-- have a closed trace with a score or a failure; each side is first averaged over its rollouts.
-- Parameters: the reward whose scores count; the store's default where none is named.
--   margin  number from 0, default 0.01: scores that are at most so far apart are a tie
--   by      text: model or recipe, default model: what plays
-- Units: scores and shares from 0 to 1; km.
-- Columns:
--   a, b            the two: models, or the first 8 hex of recipes. '(unknown)': traces of files that do not
--                   name their model
--   samples         that both answered, where a failure has score 0 unless the reward gives it another
--   wins, ties, losses
--                   samples on which a is better, as good, worse than b; win_rate, tie_rate and loss_rate are
--                   their shares, each with its 95 % interval (Wilson)
--   mean_score_a, mean_score_b
--                   over the samples; lift: their mean difference, a less b, with its 95 % interval
--                   (bootstrap over samples)
--   median_km_failures_20000_a, _b
--                   over the samples, each failure as 20,000 km
--   parsed_samples  on which both have coordinates; wins_parsed, ties_parsed, losses_parsed: over them, with
--                   failures left out
-- Dialect: DuckDB, over the views of views.sql.
with
sides as (
  select
    if($by = 'model', coalesce(model, '(unknown)'), recipe) as side,
    sample_id,
    avg(score_or_0) as score,
    avg(score_or_0) filter (not failure) as score_parsed,
    avg(distance_km_or_20000) as km
  from trace_results
  where score_or_0 is not null
  group by side, sample_id
),
pairs as (
  select
    a.side as a,
    b.side as b,
    bootstrap_group(a.sample_id) as part,
    a.score as score_a,
    b.score as score_b,
    a.km as km_a,
    b.km as km_b,
    a.score - b.score as ahead,
    a.score_parsed - b.score_parsed as ahead_parsed
  from sides as a
  join sides as b on b.sample_id = a.sample_id and b.side > a.side
),
summed as (
  select
    a,
    b,
    count(*) as samples,
    count(*) filter (ahead > $margin) as wins,
    count(*) filter (abs(ahead) <= $margin) as ties,
    count(*) filter (ahead < -$margin) as losses,
    avg(score_a) as mean_score_a,
    avg(score_b) as mean_score_b,
    median(km_a) as median_km_failures_20000_a,
    median(km_b) as median_km_failures_20000_b,
    count(ahead_parsed) as parsed_samples,
    count(*) filter (ahead_parsed > $margin) as wins_parsed,
    count(*) filter (abs(ahead_parsed) <= $margin) as ties_parsed,
    count(*) filter (ahead_parsed < -$margin) as losses_parsed
  from pairs
  group by a, b
),
parts as (
  select a, b, part, sum(ahead) as ahead, count(*) as samples
  from pairs
  group by a, b, part
),
intervals as (
  select a, b, bootstrap(list(ahead order by part), list(samples order by part)) as lift
  from parts
  group by a, b
)
select
  s.a,
  s.b,
  s.samples,
  s.wins,
  s.ties,
  s.losses,
  s.wins / s.samples as win_rate,
  share_low(s.wins, s.samples) as win_rate_low,
  share_high(s.wins, s.samples) as win_rate_high,
  s.ties / s.samples as tie_rate,
  share_low(s.ties, s.samples) as tie_rate_low,
  share_high(s.ties, s.samples) as tie_rate_high,
  s.losses / s.samples as loss_rate,
  share_low(s.losses, s.samples) as loss_rate_low,
  share_high(s.losses, s.samples) as loss_rate_high,
  s.mean_score_a,
  s.mean_score_b,
  s.mean_score_a - s.mean_score_b as lift,
  i.lift.low as lift_low,
  i.lift.high as lift_high,
  s.median_km_failures_20000_a,
  s.median_km_failures_20000_b,
  s.parsed_samples,
  s.wins_parsed,
  s.ties_parsed,
  s.losses_parsed
from summed as s
join intervals as i on i.a = s.a and i.b = s.b
order by s.a, s.b
