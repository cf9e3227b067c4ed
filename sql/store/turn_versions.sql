-- With which versions a response was stored, and so the images of its calls made.
-- Grain: at most one row; none where the run is not known. JSON. Dialect: SQLite.
select r.versions
from turns as t
join runs as r on r.id = t.run_id
where t.trace_id = :trace_id and t.turn = :turn
