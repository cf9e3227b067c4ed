-- Records the reward that a trace file carries; parser version 0: no reading of ours.
-- Grain: one row per trace and spec. km; points 0..5000. Dialect: SQLite.
insert or ignore into rewards (
  trace_id, spec_id, parser_version, distance_km, score, geoguessr_points, extra, created_at
)
values (:trace_id, :spec_id, 0, :distance_km, :score, :geoguessr_points, :extra, :now)
