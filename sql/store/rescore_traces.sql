-- Computes the rewards of a spec where they are missing or read from an older parser's answer.
-- Grain: one row per trace. Traces with ids in (:after, :last]. The spec's row is all it needs to
-- know: kind and parameters, radius and thresholds in km. Where there are no coordinates, distance,
-- score and points are null. Distance by haversine; points 5000 * exp(-km / 1492.7), whole, under
-- every spec. Dialect: SQLite with its math functions.
insert into rewards (
  trace_id, spec_id, parser_version, distance_km, score, geoguessr_points, created_at
)
with
spec as materialized (
  select
    id, kind, parameters,
    json_extract(parameters, '$.radius') as radius,
    json_extract(parameters, '$.scale') as scale,
    json_extract(parameters, '$.max') as max_km,
    json_extract(parameters, '$.km') as km,
    json_extract(parameters, '$.rounding') as rounding
  from reward_specs
  where id = :spec_id
),
-- Each pair of a table with the one before it, which the first has not.
curve as materialized (
  select
    place, km, value,
    lag(km) over (order by place) as km_before,
    lag(value) over (order by place) as value_before
  from (
    select
      pair.key as place,
      json_extract(pair.value, '$[0]') as km,
      json_extract(pair.value, '$[1]') as value
    from spec, json_each(spec.parameters, '$.table') as pair
  )
),
-- max() makes the other columns those of the newest answer.
newest as (
  select trace_id, max(parser_version) as parser_version, lat, lon
  from answers
  where trace_id > :after and trace_id <= :last
  group by trace_id
),
pending as (
  select n.trace_id, n.parser_version, n.lat, n.lon, s.lat as true_lat, s.lon as true_lon
  from newest as n
  join traces as t on t.id = n.trace_id
  join samples as s on s.id = t.sample_id
  left join rewards as w on w.trace_id = n.trace_id and w.spec_id = :spec_id
  where w.trace_id is null or w.parser_version < n.parser_version
),
chords as (
  select
    trace_id, parser_version,
    sin(radians(lat - true_lat) / 2) as across_lat,
    sin(radians(lon - true_lon) / 2) as across_lon,
    cos(radians(lat)) * cos(radians(true_lat)) as shrink
  from pending
),
-- Rounding can lift a root above 1 near the antipode, where asin would give null.
distances as materialized (
  select
    trace_id, parser_version,
    2 * spec.radius * asin(
      min(1.0, sqrt(across_lat * across_lat + shrink * across_lon * across_lon))
    ) as km
  from chords, spec
),
scores as (
  select
    d.trace_id, d.parser_version, d.km, spec.id as spec_id, spec.rounding,
    case
      when d.km is null then null
      when spec.kind in ('geoguessr', 'exponential') then exp(-d.km / spec.scale)
      when spec.kind = 'linear' then max(0.0, 1 - d.km / spec.max_km)
      when spec.kind = 'threshold' then iif(d.km <= spec.km, 1.0, 0.0)
      when spec.kind = 'steps' then coalesce(
        (select value from curve where d.km <= curve.km order by place limit 1), 0.0
      )
      when spec.kind = 'piecewise' then coalesce(
        (
          select coalesce(
            value_before + (value - value_before) * (d.km - km_before) / (curve.km - km_before),
            value
          )
          from curve
          where d.km <= curve.km
          order by place
          limit 1
        ),
        (select value from curve order by place desc limit 1)
      )
    end as score
  from distances as d, spec
)
select
  trace_id, spec_id, parser_version, km, iif(rounding is null, score, round(score, rounding)),
  cast(round(5000 * exp(-km / 1492.7)) as integer), :now
from scores
where true -- keeps SQLite from reading "on" as a join's condition
order by trace_id
on conflict (trace_id, spec_id) do update
  set parser_version = excluded.parser_version,
      distance_km = excluded.distance_km,
      score = excluded.score,
      geoguessr_points = excluded.geoguessr_points,
      extra = null,
      created_at = excluded.created_at
  where rewards.parser_version < excluded.parser_version
