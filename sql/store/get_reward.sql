-- A trace's reward under one spec.
-- Grain: at most one row. km; points 0..5000. Dialect: SQLite.
select distance_km, score, geoguessr_points
from rewards
where trace_id = :trace_id and spec_id = :spec_id
