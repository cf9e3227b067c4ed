-- The runs that have not said how they ended and hold claims: running elsewhere, or killed.
-- Grain: one row per run. Dialect: SQLite.
select distinct r.id, r.host, r.pid, r.process_started
from traces as t
join runs as r on r.id = t.claimed_by
where t.claimed_by is not null
order by r.id
