-- Every trace that a check of geostore audit flagged, with what it found and where.
-- Grain: one row per trace and check.
-- Parameters: the reward whose scores count; the store's default where none is named.
--   flag  text, default none: only the traces that this check flagged; those of all checks if none is named
-- Units: km.
-- Dialect: DuckDB, over the views of views.sql.
select f.flag, t.trace, t.model, f.detail, t.distance_km, t.score
from trace_flags as f
join trace_results as t on t.trace_id = f.trace_id
where $flag is null or f.flag = $flag
order by f.flag, f.trace_id
