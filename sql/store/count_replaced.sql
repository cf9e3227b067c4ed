-- How many pending traces have a reward of a spec, which is to be replaced.
-- Grain: one row. The cross join keeps SQLite from going through all rewards of the spec where few
-- traces are pending. Dialect: SQLite.
select count(*) as replaced
from temp.pending as p
cross join rewards as w on w.spec_id = :spec_id and w.trace_id = p.trace_id
