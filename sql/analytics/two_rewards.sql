-- How two rewards judge the same traces: their means, what each accepts, and how often they agree.
-- Grain: one row per recipe, over its closed traces that both rewards score, or that are failures.
-- Parameters: which two; each by its name or the first 8 or more hex of its sha256.
--   a          text, default none: the first; the store's default where none is named
--   b          text, default none: the second; the newest other one where none is named
--   min_score  number, default 0.3: the score from which a trace is accepted
-- Units: scores and shares from 0 to 1.
-- Columns:
--   a, b            names of the two; a store with one reward has no row
--   traces          that both score, each failure among them; unscored: those left out (geostore rescore)
--   mean_score_a, mean_score_b
--                   of the traces that are no failure under that reward; *_failures_0: of all, where a
--                   failure has score 0 unless the reward gives it another
--   difference      the mean of b less that of a, over all traces, with its 95 % interval (bootstrap over
--                   samples)
--   correlation     of their scores over all traces; null where either gives all the same
--   accepted_a, accepted_b, accepted_by_both
--                   traces with such a score
--   agreement       share of traces that both accept or neither, with its 95 % interval (Wilson)
-- Dialect: DuckDB, over the views of views.sql.
with
first as (
  select
    if(
      count(*) = 1,
      any_value(id),
      error(format('a is {}, which {} rewards of this store fit; geostore rewards list names them', $a, count(*)))
    ) as id
  from reward_specs
  where case
    when $a is null then is_default = 1
    else name = $a or (length($a) >= 8 and starts_with(sha256, lower($a)))
  end
),
second as (
  select
    case
      when count(*) = 1 then any_value(id)
      when $b is not null
        then error(
          format('b is {}, which {} rewards of this store fit; geostore rewards list names them', $b, count(*))
        )
    end as id
  from reward_specs
  where case
    when $b is null
      then id = (select max(s.id) from reward_specs as s where s.id <> (select id from first))
    else name = $b or (length($b) >= 8 and starts_with(sha256, lower($b)))
  end
),
-- The newest reading of each trace, and whether it has coordinates.
newest as (
  select
    trace_id,
    max(parser_version) as parser_version,
    arg_max(failure is null, parser_version) as parsed
  from answers
  group by trace_id
),
-- Both rewards of each trace from one reading of the table, which is quicker than a join of two.
scored as (
  select
    trace_id,
    max(parser_version) filter (spec_id = (select id from first)) as version_a,
    max(distance_km) filter (spec_id = (select id from first)) as km_a,
    max(score) filter (spec_id = (select id from first)) as score_a,
    max(geoguessr_points) filter (spec_id = (select id from first)) as points_a,
    max(parser_version) filter (spec_id = (select id from second)) as version_b,
    max(distance_km) filter (spec_id = (select id from second)) as km_b,
    max(score) filter (spec_id = (select id from second)) as score_b,
    max(geoguessr_points) filter (spec_id = (select id from second)) as points_b
  from rewards
  where spec_id in (select id from first union all select id from second)
  group by trace_id
),
judged as (
  select
    t.recipe_id,
    t.sample_id,
    if(
      w.version_a = 0,
      w.km_a is null and (w.score_a is null or coalesce(w.points_a, 1) = 0),
      not coalesce(n.parsed, false)
    ) as failure_a,
    if(
      w.version_b = 0,
      w.km_b is null and (w.score_b is null or coalesce(w.points_b, 1) = 0),
      not coalesce(n.parsed, false)
    ) as failure_b,
    -- Version 0 is a trace file's own reward, beside every reading; any other is of one reading.
    if(w.version_a in (0, n.parser_version), w.score_a, null) as current_a,
    if(w.version_b in (0, n.parser_version), w.score_b, null) as current_b,
    if(failure_a, coalesce(current_a, 0), current_a) as score_a,
    if(failure_b, coalesce(current_b, 0), current_b) as score_b
  from traces as t
  left join newest as n on n.trace_id = t.id
  left join scored as w on w.trace_id = t.id
  where t.status <> 'open' and (select id from second) is not null
),
summed as (
  select
    recipe_id,
    count(*) filter (score_a is null or score_b is null) as unscored,
    count(score_a + score_b) as traces,
    avg(score_a) filter (score_b is not null and not failure_a) as mean_score_a,
    avg(score_b) filter (score_a is not null and not failure_b) as mean_score_b,
    avg(score_a) filter (score_b is not null) as mean_score_a_failures_0,
    avg(score_b) filter (score_a is not null) as mean_score_b_failures_0,
    if(isnan(corr(score_a, score_b)), null, corr(score_a, score_b)) as correlation,
    count(*) filter (score_a >= $min_score and score_b is not null) as accepted_a,
    count(*) filter (score_b >= $min_score and score_a is not null) as accepted_b,
    count(*) filter (score_a >= $min_score and score_b >= $min_score) as accepted_by_both,
    count(*) filter ((score_a >= $min_score) = (score_b >= $min_score)) as agreed
  from judged
  group by recipe_id
),
parts as (
  select
    recipe_id,
    bootstrap_group(sample_id) as part,
    sum(score_b - score_a) as ahead,
    count(*) as traces
  from judged
  where score_a is not null and score_b is not null
  group by recipe_id, part
),
intervals as (
  select recipe_id, bootstrap(list(ahead order by part), list(traces order by part)) as difference
  from parts
  group by recipe_id
)
select
  left(r.sha256, 8) as recipe,
  r.model,
  a.name as a,
  b.name as b,
  s.traces,
  s.unscored,
  s.mean_score_a,
  s.mean_score_b,
  s.mean_score_a_failures_0,
  s.mean_score_b_failures_0,
  s.mean_score_b_failures_0 - s.mean_score_a_failures_0 as difference,
  i.difference.low as difference_low,
  i.difference.high as difference_high,
  s.correlation,
  s.accepted_a,
  s.accepted_b,
  s.accepted_by_both,
  s.agreed / nullif(s.traces, 0) as agreement,
  share_low(s.agreed, s.traces) as agreement_low,
  share_high(s.agreed, s.traces) as agreement_high
from summed as s
join recipes as r on r.id = s.recipe_id
join reward_specs as a on a.id = (select id from first)
join reward_specs as b on b.id = (select id from second)
left join intervals as i on i.recipe_id = s.recipe_id
order by r.model, recipe
