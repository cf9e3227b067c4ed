-- Which traces lack an answer or a reward, and the formulas that compute rewards.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- name: temp_candidates
-- The traces that a rescore considers, in a temporary table of this connection.
-- Grain: one row per trace.
create temp table if not exists candidates (trace_id integer primary key) strict;

-- name: temp_pending
-- The traces that a rescore is about to compute, in a temporary table of this connection.
-- Grain: one row per trace, with the parser version whose answer counts.
create temp table if not exists pending (
  trace_id integer primary key,
  parser_version integer not null
) strict;

-- name: temp_pending_angles
-- How far the pending answers lie from the true places: a temporary view of this connection.
-- Grain: one row per trace of temp.pending. angle: of the great circle, in radians, by haversine; null
-- without coordinates. Times the earth's radius it is a distance. names: how many of country, region
-- and city the answer's words state, 0..3.
-- The cross joins keep this order of loops, in which rows come sorted by trace.
create temp view if not exists pending_angles as
select
  trace_id, parser_version, sample_id, form, failure, lat, lon, locatability_score, names,
  -- Near the antipode rounding can make the root larger than 1, where asin would give null.
  2 * asin(min(1.0, sqrt(across_lat * across_lat + shrink * across_lon * across_lon))) as angle
from (
  select
    p.trace_id, p.parser_version, t.sample_id, a.form, a.failure, a.lat, a.lon,
    s.locatability_score,
    (a.said_country is not null) + (a.said_region is not null) + (a.said_city is not null) as names,
    sin(radians(a.lat - s.lat) / 2) as across_lat,
    sin(radians(a.lon - s.lon) / 2) as across_lon,
    cos(radians(a.lat)) * cos(radians(s.lat)) as shrink
  from temp.pending as p
  cross join answers as a on a.trace_id = p.trace_id and a.parser_version = p.parser_version
  cross join traces as t on t.id = p.trace_id
  cross join samples as s on s.id = t.sample_id
);

-- name: temp_trace_extras
-- Counts of a trace that rewards use: a temporary view of this connection.
-- Grain: one row per trace.
--   turns               responses of the teacher
--   *_tokens            sums over the turns; null where the server never said
--   tool_calls          all calls; failed_tool_calls: those that failed
--   tool_validity       the share of calls that succeeded, 0..1; null without a call
-- SQLite computes only the columns that a statement reads.
create temp view if not exists trace_extras as
select
  t.id as trace_id,
  (select count(*) from turns where trace_id = t.id) as turns,
  (select sum(prompt_tokens) from turns where trace_id = t.id) as prompt_tokens,
  (select sum(completion_tokens) from turns where trace_id = t.id) as completion_tokens,
  (select sum(total_tokens) from turns where trace_id = t.id) as total_tokens,
  (select count(*) from tool_calls where trace_id = t.id) as tool_calls,
  (select count(*) from tool_calls where trace_id = t.id and success = 0) as failed_tool_calls,
  (select avg(success) from tool_calls where trace_id = t.id) as tool_validity
from traces as t;

-- name: put_candidate
-- Adds a trace to the candidates.
-- Grain: one row.
insert or ignore into temp.candidates (trace_id) values (:trace_id);

-- name: clear_candidates
-- Empties the table of candidates.
-- Grain: the table.
delete from temp.candidates;

-- name: candidates_answered
-- Adds every trace that has an answer.
-- Grain: one row per trace.
insert or ignore into temp.candidates (trace_id)
select distinct trace_id
from answers;

-- name: count_candidates
-- How many candidates have an answer.
-- Grain: one row.
select count(*) as answered
from temp.candidates as c
where exists (select 1 from answers where trace_id = c.trace_id);

-- name: range_start
-- The first trace after an id; null where there is none.
-- Grain: one row.
select min(id) as first
from traces
where id > :after;

-- name: count_range
-- Counts of a range of traces. Nothing is missing where there are as many answers and rewards as
-- ended traces.
-- Grain: one row. Traces with ids in (:after, :last]. :spec_id 0 for a spec that is not in the store.
--   ended     traces that need an answer and a reward
--   read      answers by the parser :version; later: by a newer one
--   rewards   rewards of the spec; current: those from the answer by :version
--   strays    traces that have an answer or a reward but have not ended; where there is one, equal
--             counts prove nothing
-- The index is named because SQLite would otherwise read a range of ids from the table, which is ten
-- times as large.
select ended, read, later, rewards, current, strays
from (
  select count(*) as ended
  from traces indexed by traces_by_recipe
  where recipe_id in (select id from recipes)
    and status in ('answered', 'exhausted')
    and id > :after and id <= :last
)
cross join (
  select
    count(*) filter (where parser_version = :version) as read,
    count(*) filter (where parser_version > :version) as later
  from answers
  where trace_id > :after and trace_id <= :last
)
cross join (
  select count(*) as rewards, count(*) filter (where parser_version = :version) as current
  from rewards
  where spec_id = :spec_id and trace_id > :after and trace_id <= :last
)
cross join (
  select count(*) as strays
  from traces as t indexed by traces_by_recipe
  where t.recipe_id in (select id from recipes)
    and t.status in ('open', 'failed')
    and t.id > :after and t.id <= :last
    and (
      exists (select 1 from answers where trace_id = t.id)
      or exists (select 1 from rewards where spec_id = :spec_id and trace_id = t.id)
    )
);

-- name: unread_of_range
-- The ended traces of a range whose final response no parser of this version or a newer one has read.
-- Grain: one row per trace, by id. Traces with ids in (:after, :last].
select id as trace_id
from traces
where status in ('answered', 'exhausted') and id > :after and id <= :last
except
select trace_id
from answers
where parser_version >= :version and trace_id > :after and trace_id <= :last
order by 1;

-- name: unread_of_candidates
-- The ended candidates whose final response no parser of this version or a later one has read.
-- Grain: one row per trace, by id.
select c.trace_id
from temp.candidates as c
cross join traces as t on t.id = c.trace_id
where t.status in ('answered', 'exhausted')
  and not exists (
    select 1
    from answers
    where trace_id = c.trace_id and parser_version >= :version
  )
order by c.trace_id;

-- name: responses_to_read
-- All responses of some traces, and how they came.
-- Grain: one row per turn, by trace and turn. :trace_ids is a JSON array.
--   is_final  whether it is its trace's last
--   cut       whether the token limit ended the response
--   bare      whether it is the first of its trace, without reasoning
--   calls     whether the API gave tool calls beside it
--   refused   whether the reply itself says that it is a refusal
select
  k.trace_id,
  k.turn,
  k.response,
  k.turn = (select max(turn) from turns where trace_id = k.trace_id) as is_final,
  iif(
    k.turn = (select max(turn) from turns where trace_id = k.trace_id),
    t.stop_reason is 'truncated',
    k.finish_reason is 'length'
  ) as cut,
  k.turn = 1 and k.reasoning_source is null as bare,
  k.native_calls is not null as calls,
  k.finish_reason is 'refusal' as refused
from json_each(:trace_ids) as j
cross join turns as k on k.trace_id = j.value
cross join traces as t on t.id = j.value
order by k.trace_id, k.turn;

-- name: put_reading
-- Records what a version of the parser read, if that response is still the final one.
-- Grain: one row per trace and parser version. Degrees.
insert or ignore into answers (
  trace_id, parser_version, lat, lon, form, failure, flags,
  said_country, said_region, said_city, confidence, confidence_form
)
select
  :trace_id, :parser_version, :lat, :lon, :form, :failure, :flags,
  :said_country, :said_region, :said_city, :confidence, :confidence_form
from traces
where id = :trace_id
  and status in ('answered', 'exhausted')
  and :turn = (select max(turn) from turns where trace_id = :trace_id);

-- name: pending_of_range
-- Adds the traces of a range whose reward of a spec is missing or not from the newest answer.
-- Grain: one row per trace. Traces with ids in (:after, :last]. Both sides of the except come in
-- order, so SQLite merges them and reads each once; a left join would look up every trace.
insert into temp.pending (trace_id, parser_version)
select n.trace_id, n.parser_version
from (
  select trace_id, parser_version
  from answers
  where trace_id > :after and trace_id <= :last
  except
  select trace_id, parser_version
  from rewards
  where spec_id = :spec_id and trace_id > :after and trace_id <= :last
  order by 1, 2
) as n
where not exists (
  select 1
  from answers
  where trace_id = n.trace_id and parser_version > n.parser_version
);

-- name: pending_of_candidates
-- Finds the candidates whose reward of a spec is missing or from an older parser's answer.
-- Grain: one row per trace. :again 1 also takes those with a reward, :retry 1 those whose custom
-- function failed.
insert into temp.pending (trace_id, parser_version)
select c.trace_id, a.parser_version
from temp.candidates as c
cross join answers as a
  on a.trace_id = c.trace_id
  and a.parser_version = (select max(parser_version) from answers where trace_id = c.trace_id)
left join rewards as w on w.spec_id = :spec_id and w.trace_id = c.trace_id
where w.trace_id is null
  or w.parser_version < a.parser_version
  or :again
  or (:retry and w.score is null and json_extract(w.extra, '$.error') is not null);

-- name: pending_trace
-- Finds one trace, if its reward of a spec is missing or from an older parser's answer.
-- Grain: at most one row.
insert into temp.pending (trace_id, parser_version)
select n.trace_id, n.parser_version
from (
  select trace_id, max(parser_version) as parser_version
  from answers
  where trace_id = :trace_id
  group by trace_id
) as n
left join rewards as w on w.spec_id = :spec_id and w.trace_id = n.trace_id
where w.trace_id is null or w.parser_version < n.parser_version;

-- name: pending_bounds
-- The last trace of the next batch of pending ones; null where there is none.
-- Grain: one row. Traces with ids above :after; :batch is the most traces of a batch.
select max(trace_id) as last
from (
  select trace_id
  from temp.pending
  where trace_id > :after
  order by trace_id
  limit :batch
);

-- name: pending_responses
-- What a custom reward function gets of each pending trace.
-- Grain: one row per trace, by id. Traces of temp.pending with ids in (:after, :last]. Degrees.
select
  p.trace_id,
  {{trace_name}} as trace,
  p.parser_version,
  k.turn,
  k.response,
  a.lat,
  a.lon,
  s.lat as true_lat,
  s.lon as true_lon,
  s.sample_index,
  s.country,
  s.locatability_score,
  s.columns,
  n.name as dataset,
  n.split,
  t.rollout,
  t.status,
  t.stop_reason,
  r.sha256 as recipe,
  r.model,
  x.tool_calls,
  x.failed_tool_calls,
  x.completion_tokens
from temp.pending as p
cross join answers as a on a.trace_id = p.trace_id and a.parser_version = p.parser_version
cross join traces as t on t.id = p.trace_id
cross join samples as s on s.id = t.sample_id
cross join datasets as n on n.id = s.dataset_id
cross join recipes as r on r.id = t.recipe_id
cross join temp.trace_extras as x on x.trace_id = p.trace_id
cross join turns as k
  on k.trace_id = p.trace_id
  and k.turn = (select max(turn) from turns where trace_id = p.trace_id)
where p.trace_id > :after and p.trace_id <= :last
order by p.trace_id;

-- name: clear_pending
-- Empties the table of pending traces.
-- Grain: the table.
delete from temp.pending;

-- name: pending_pairs
-- The answers and true places of pending traces whose distance is to be a geodesic.
-- Grain: one row per trace of temp.pending with coordinates and an id in (:after, :last], by id; none
-- where the radius of the spec is not wgs84. Degrees.
select p.trace_id, a.lat, a.lon, s.lat as true_lat, s.lon as true_lon
from reward_specs as r
cross join temp.pending as p
cross join answers as a on a.trace_id = p.trace_id and a.parser_version = p.parser_version
cross join traces as t on t.id = p.trace_id
cross join samples as s on s.id = t.sample_id
where r.id = :spec_id
  and json_extract(r.parameters, '$.radius') = 'wgs84'
  and p.trace_id > :after and p.trace_id <= :last
  and a.lat is not null
order by p.trace_id;

-- name: count_pending
-- How many traces are pending.
-- Grain: one row.
select count(*) as pending
from temp.pending;

-- name: count_replaced
-- How many pending traces have a reward of a spec already, which will be replaced.
-- Grain: one row. Without the cross join SQLite would read all rewards of the spec even where few
-- traces are pending.
select count(*) as replaced
from temp.pending as p
cross join rewards as w on w.spec_id = :spec_id and w.trace_id = p.trace_id;

-- part: term_value
-- The value of a term, x, of a reward for a trace, d; null where it is not known.
-- Grain: one value. x: a row of atoms in rescore_traces; d: one of distances.
case
  when x.is_place then case x.kind
    when 'said_country' then d.said_country
    when 'said_region' then d.said_region
    when 'said_city' then d.said_city
    when 'country' then d.country
    when 'region' then d.region
    when 'city' then d.city
  end
  when not x.is_distance then case x.kind
    when 'constant' then 1.0
    when 'parsed' then iif(d.failure is null, 1.0, 0.0)
    when 'format' then iif(d.failure is null and d.form in ('boxed', 'answer'), 1.0, 0.0)
    when 'named' then iif(d.names >= x.least, 1.0, 0.0)
    when 'locatability' then d.locatability_score
    when 'tools' then coalesce(
      (select tool_validity from temp.trace_extras where trace_id = d.trace_id), 1.0
    )
    when 'tool_use' then (
      select iif(tool_calls > failed_tool_calls, 1.0, 0.0)
      from temp.trace_extras
      where trace_id = d.trace_id
    )
    when 'cut' then iif(
      exists (
        select 1 from tool_calls where trace_id = d.trace_id and success = 1 and box_left is not null
      ),
      1.0, 0.0
    )
    when 'think_answer' then coalesce(
      (
        select case
          -- Most responses begin with another letter than white space or <.
          when unicode(response) not in (9, 10, 13, 32, 60) then 0.0
          -- The store keeps reasoning by itself, unless nothing told it apart from the response.
          when reasoning <> ''
            then iif(trim(response, char(9, 10, 13, 32)) glob '<answer>*</answer>', 1.0, 0.0)
          when trim(response, char(9, 10, 13, 32)) glob '<think>*</think>*<answer>*</answer>' then iif(
            replace(replace(replace(replace(response, ' ', ''), char(9), ''), char(10), ''), char(13), '')
            glob '<think>*</think><answer>*</answer>',
            1.0, 0.0
          )
          else 0.0
        end
        from turns
        where trace_id = d.trace_id
        order by turn desc
        limit 1
      ),
      0.0
    )
    when 'turns' then (
      select min(1.0, turns / x.most) from temp.trace_extras where trace_id = d.trace_id
    )
    when 'tokens' then (
      select min(1.0, completion_tokens / x.most) from temp.trace_extras where trace_id = d.trace_id
    )
  end
  when d.km is null then x.unread
  else case x.kind
    when 'geoguessr' then exp(-d.km / x.scale)
    when 'exponential' then exp(-d.km / x.scale)
    when 'linear' then max(0.0, 1 - d.km / x.most)
    when 'threshold' then iif(
      d.km < x.within_km or (d.km = x.within_km and x.border is null), 1.0, 0.0
    )
    when 'steps' then coalesce(
      (
        select value
        from curve
        where curve.atom = x.atom
          and iif(x.border is null, d.km > km_before, d.km >= km_before)
          and iif(x.border is null, d.km <= curve.km, d.km < curve.km)
      ),
      0.0
    )
    when 'piecewise' then coalesce(
      (
        select coalesce(
          value_before + (value - value_before) * (d.km - km_before) / (curve.km - km_before),
          value
        )
        from curve
        where curve.atom = x.atom and d.km > km_before and d.km <= curve.km
      ),
      (select value from curve where curve.atom = x.atom order by place desc limit 1)
    )
  end
end

-- name: rescore_traces
-- Computes the rewards of a spec for the pending traces.
-- Grain: one row per trace of temp.pending with an id in (:after, :last], from the answer of the
-- parser version that stands there. :again 1 replaces every reward, 0 only one from an earlier answer.
-- The formulas follow from the spec's row: its kind and parameters, radius and thresholds in km. A
-- weighted spec is a sum over several terms, any other is one term of weight 1. Distances come from
-- temp.pending_angles, and from Python's function geodesic_km where the radius is wgs84; points are
-- 5000 * exp(-km / 1492.7), rounded, under every spec. Without coordinates distance and points are
-- null, and so is a term that needs a distance, unless the spec gives a value for it. A null term makes
-- the score null. A term with conditions counts only where all of its "if" are above 0 and none of its
-- "unless" is; else it is 0, and null where that is not known. Terms of places take them from the rows
-- of the gazetteer's version that the spec names.
insert into rewards (
  spec_id, trace_id, parser_version, distance_km, score, geoguessr_points
)
with
spec as materialized (
  select
    kind, parameters,
    json_extract(parameters, '$.radius') as radius,
    json_extract(parameters, '$.rounding') as rounding,
    json_extract(parameters, '$.unparsed') as unparsed,
    json_extract(parameters, '$.gazetteer') as gazetteer -- null: no term needs a place
  from reward_specs
  where id = :spec_id
),
-- All that has a value: the terms, and behind them the conditions of each. wanted: 1 of an "if",
-- 0 of an "unless", null of a term. unread: the value of what needs a distance, without coordinates.
described as (
  select 0 as term_place, null as wanted, 1.0 as weight, kind, unparsed as unread, parameters
  from spec
  where kind <> 'weighted'
  union all
  select
    j.key, null, json_extract(j.value, '$.weight'), json_extract(j.value, '$.term'), spec.unparsed,
    j.value
  from spec, json_each(spec.parameters, '$.terms') as j
  where spec.kind = 'weighted'
  union all
  select
    j.key, k.name = 'if', null, json_extract(i.value, '$.term'),
    iif(spec.unparsed is null, null, 0.0), i.value
  from
    spec,
    json_each(spec.parameters, '$.terms') as j,
    (select 'if' as name union all select 'unless') as k,
    json_each(j.value, '$.' || k.name) as i
  where spec.kind = 'weighted'
),
atoms as materialized (
  select
    row_number() over () as atom,
    term_place, wanted, weight, kind, unread, parameters,
    -- Asked first, because each comparison of names takes its time a million times.
    kind in ('geoguessr', 'exponential', 'linear', 'threshold', 'steps', 'piecewise') as is_distance,
    kind in ('country', 'region', 'city', 'said_country', 'said_region', 'said_city') as is_place,
    json_extract(parameters, '$.scale') as scale,
    json_extract(parameters, '$.max') as most,
    json_extract(parameters, '$.km') as within_km,
    json_extract(parameters, '$.least') as least,
    json_extract(parameters, '$.border') as border
  from described
),
conditions as materialized (
  select
    term_place as of_term, wanted, atom, kind, is_distance, is_place, unread, scale, most, within_km,
    border, least
  from atoms
  where wanted is not null
),
terms as materialized (
  select
    term_place as this_term, term_place in (select of_term from conditions) as is_conditional, weight,
    atom, kind, is_distance, is_place, unread, scale, most, within_km, border, least
  from atoms
  where wanted is null
),
-- Each pair of a term's table beside the pair before it; before the first stand -1 km and no value. A
-- distance lies between the two of one row, so that none has to be sorted for it.
curve as materialized (
  select
    atom, place, km, value,
    lag(km, 1, -1.0) over (partition by atom order by place) as km_before,
    lag(value) over (partition by atom order by place) as value_before
  from (
    select
      atoms.atom,
      pair.key as place,
      json_extract(pair.value, '$[0]') as km,
      json_extract(pair.value, '$[1]') as value
    from atoms, json_each(atoms.parameters, '$.table') as pair
  )
),
distances as (
  select
    d.trace_id, d.parser_version, form, failure, locatability_score, names,
    -- 1 or 0: by the answer's point, then by its words. Null where the truth has no such place, or where
    -- no place was computed; without a point, and without words, 0.
    iif(truth.country is null or place.trace_id is null, null, place.country is truth.country)
      as country,
    iif(truth.region is null or place.trace_id is null, null, place.region is truth.region) as region,
    iif(truth.city_id is null or place.trace_id is null, null, place.city_id is truth.city_id) as city,
    iif(
      truth.country is null or place.trace_id is null, null, coalesce(place.said_true_country, 0)
    ) as said_country,
    iif(
      truth.region is null or place.trace_id is null, null, coalesce(place.said_true_region, 0)
    ) as said_region,
    iif(
      truth.city_id is null or place.trace_id is null, null, coalesce(place.said_true_city, 0)
    ) as said_city,
    iif(
      (select radius from spec) = 'wgs84',
      geodesic_km(d.trace_id),
      (select radius from spec) * angle
    ) as km
  from temp.pending_angles as d
  left join sample_places as truth
    on truth.sample_id = d.sample_id and truth.gazetteer_version = (select gazetteer from spec)
  left join answer_places as place
    on place.trace_id = d.trace_id
    and place.parser_version = d.parser_version
    and place.gazetteer_version = (select gazetteer from spec)
  where d.trace_id > :after and d.trace_id <= :last
  limit -1 -- without it SQLite computes a value again wherever it is read
),
scores as (
  select
    d.trace_id, d.parser_version, d.km,
    (
      -- A term that is not known makes the sum infinite, and an infinite sum is none. To count the
      -- terms that are known beside the sum would take longer than the sum.
      select nullif(
        sum(
          coalesce(
            weight * case
              when not is_conditional or value = 0 then value
              -- 0: all conditions are met, 1: one is not, between: that is open.
              else case (
                select max(coalesce(x.wanted <> ({{term_value}} > 0), 0.5))
                from conditions as x
                where x.of_term = this_term
              )
                when 0 then value
                when 1 then 0.0
              end
            end,
            9e999
          )
        ),
        9e999
      )
      from (
        select x.weight, x.this_term, x.is_conditional, {{term_value}} as value
        from terms as x
        limit -1 -- without it SQLite computes a value twice: to compare it with 0, and to add it
      )
    ) as score
  from distances as d
)
select
  :spec_id, trace_id, parser_version, km,
  iif((select rounding from spec) is null, score, round(score, (select rounding from spec))),
  cast(round(5000 * exp(-km / 1492.7)) as integer)
from scores
where true -- keeps SQLite from reading "on" as a join's condition
on conflict (spec_id, trace_id) do update
  set parser_version = excluded.parser_version,
      distance_km = excluded.distance_km,
      score = excluded.score,
      geoguessr_points = excluded.geoguessr_points,
      extra = null
  where rewards.parser_version < excluded.parser_version or :again;
