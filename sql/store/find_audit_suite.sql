-- The id of a set of checks.
-- Grain: at most one row. Dialect: SQLite.
select id
from audit_suites
where checks = :checks
