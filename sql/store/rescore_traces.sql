-- Computes the rewards of a spec for the pending traces, by formulas that the spec's row names.
-- Grain: one row per trace. Traces of temp.pending with ids in (:after, :last], read by the parser
-- version that stands there. :again 1 computes over what is there, 0 only over what an older
-- reading gave. All it needs to know is the spec's row: kind and parameters, radius and thresholds
-- in km; a weighted spec is a sum over several terms, any other is one term of weight 1. Distance
-- by haversine; points 5000 * exp(-km / 1492.7), whole, under every spec. Without coordinates
-- distance and points are null, and so is the score of a term that needs a distance, unless the
-- spec says what it counts as. One term that is null makes the score null.
-- Dialect: SQLite with its math functions.
insert into rewards (
  spec_id, trace_id, parser_version, distance_km, score, geoguessr_points, created_at
)
with
spec as materialized (
  select
    kind, parameters,
    json_extract(parameters, '$.radius') as radius,
    json_extract(parameters, '$.rounding') as rounding,
    json_extract(parameters, '$.unparsed') as unparsed
  from reward_specs
  where id = :spec_id
),
described as (
  select 0 as place, kind, 1.0 as weight, parameters
  from spec
  where kind <> 'weighted'
  union all
  select j.key, json_extract(j.value, '$.term'), json_extract(j.value, '$.weight'), j.value
  from spec, json_each(spec.parameters, '$.terms') as j
  where kind = 'weighted'
),
terms as materialized (
  select
    place, kind, weight, parameters,
    json_extract(parameters, '$.scale') as scale,
    json_extract(parameters, '$.max') as most,
    json_extract(parameters, '$.km') as within_km
  from described
),
-- Each pair of a term's table with the one before it, which the first has not.
curve as materialized (
  select
    term, place, km, value,
    lag(km) over (partition by term order by place) as km_before,
    lag(value) over (partition by term order by place) as value_before
  from (
    select
      terms.place as term,
      pair.key as place,
      json_extract(pair.value, '$[0]') as km,
      json_extract(pair.value, '$[1]') as value
    from terms, json_each(terms.parameters, '$.table') as pair
  )
),
-- The cross joins keep this order of loops, in which rows come and go sorted by trace.
chords as (
  select
    p.trace_id, p.parser_version, a.form, a.failure,
    sin(radians(a.lat - s.lat) / 2) as across_lat,
    sin(radians(a.lon - s.lon) / 2) as across_lon,
    cos(radians(a.lat)) * cos(radians(s.lat)) as shrink
  from temp.pending as p
  cross join answers as a on a.trace_id = p.trace_id and a.parser_version = p.parser_version
  cross join traces as t on t.id = p.trace_id
  cross join samples as s on s.id = t.sample_id
  where p.trace_id > :after and p.trace_id <= :last
),
-- Rounding can lift a root above 1 near the antipode, where asin would give null.
distances as materialized (
  select
    trace_id, parser_version, form, failure,
    2 * (select radius from spec) * asin(
      min(1.0, sqrt(across_lat * across_lat + shrink * across_lon * across_lon))
    ) as km
  from chords
),
scores as (
  select
    d.trace_id, d.parser_version, d.km,
    (
      select iif(count(value) = count(*), sum(weight * value), null)
      from (
        select
          terms.weight,
          case
            -- Terms that need no distance.
            when terms.kind = 'parsed' then iif(d.failure is null, 1.0, 0.0)
            when terms.kind = 'format'
              then iif(d.failure is null and d.form in ('boxed', 'answer'), 1.0, 0.0)
            when terms.kind = 'tools' then coalesce(
              (select tool_validity from temp.trace_extras where trace_id = d.trace_id), 1.0
            )
            when terms.kind = 'tool_use' then (
              select iif(tool_calls > failed_tool_calls, 1.0, 0.0)
              from temp.trace_extras
              where trace_id = d.trace_id
            )
            when terms.kind = 'turns' then (
              select min(1.0, turns / most) from temp.trace_extras where trace_id = d.trace_id
            )
            when terms.kind = 'tokens' then (
              select min(1.0, completion_tokens / most)
              from temp.trace_extras
              where trace_id = d.trace_id
            )
            when d.km is null then (select unparsed from spec)
            when terms.kind in ('geoguessr', 'exponential') then exp(-d.km / terms.scale)
            when terms.kind = 'linear' then max(0.0, 1 - d.km / most)
            when terms.kind = 'threshold' then iif(d.km <= terms.within_km, 1.0, 0.0)
            when terms.kind = 'steps' then coalesce(
              (
                select value
                from curve
                where curve.term = terms.place and d.km <= curve.km
                order by curve.place
                limit 1
              ),
              0.0
            )
            when terms.kind = 'piecewise' then coalesce(
              (
                select coalesce(
                  value_before + (value - value_before) * (d.km - km_before) / (curve.km - km_before),
                  value
                )
                from curve
                where curve.term = terms.place and d.km <= curve.km
                order by curve.place
                limit 1
              ),
              (select value from curve where curve.term = terms.place order by place desc limit 1)
            )
          end as value
        from terms
        limit -1 -- keeps the values from being computed for the count and again for the sum
      )
    ) as score
  from distances as d
)
select
  :spec_id, trace_id, parser_version, km,
  (select iif(rounding is null, score, round(score, rounding)) from spec),
  cast(round(5000 * exp(-km / 1492.7)) as integer), :now
from scores
where true -- keeps SQLite from reading "on" as a join's condition
on conflict (spec_id, trace_id) do update
  set parser_version = excluded.parser_version,
      distance_km = excluded.distance_km,
      score = excluded.score,
      geoguessr_points = excluded.geoguessr_points,
      extra = null,
      created_at = excluded.created_at
  where rewards.parser_version < excluded.parser_version or :again
