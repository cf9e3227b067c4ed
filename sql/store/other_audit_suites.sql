-- The sets of checks that some trace was last audited with, other than the one that is meant.
-- Grain: one row per set. Dialect: SQLite.
select id, checks
from audit_suites as u
where id <> :suite_id
  and exists (select 1 from audits where suite_id = u.id)
order by id
