-- Records a reward that was computed outside of SQLite, if its reading is still there.
-- Grain: one row per trace and spec. km; points 0..5000. :turn is the response it was computed from,
-- null where that cannot have changed. :again 1 replaces what is there, 0 only what an older reading
-- gave. Dialect: SQLite.
insert into rewards (
  spec_id, trace_id, parser_version, distance_km, score, geoguessr_points, extra, created_at
)
select
  :spec_id, trace_id, parser_version, :distance_km, :score, :geoguessr_points, :extra, :now
from answers
where trace_id = :trace_id
  and parser_version = :parser_version
  and (:turn is null or :turn = (select max(turn) from turns where trace_id = :trace_id))
on conflict (spec_id, trace_id) do update
  set parser_version = excluded.parser_version,
      distance_km = excluded.distance_km,
      score = excluded.score,
      geoguessr_points = excluded.geoguessr_points,
      extra = excluded.extra,
      created_at = excluded.created_at
  where rewards.parser_version < excluded.parser_version or :again
