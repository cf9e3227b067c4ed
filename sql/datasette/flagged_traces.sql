-- Every trace that a check of geostore audit flagged, with what it found and where.
-- Grain: as analytics/flagged_traces.
-- Units: km.
-- Dialect: SQLite, over the views of the schema.
select f.flag, t.trace, t.model, f.detail, t.distance_km, t.score
from trace_flags as f
join trace_results as t on t.trace_id = f.trace_id
order by f.flag, f.trace_id
