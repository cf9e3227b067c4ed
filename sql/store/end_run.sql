-- Records how a generate process ended.
-- Grain: one row. Dialect: SQLite.
update runs
set ended_at = :now, outcome = :outcome
where id = :run_id and ended_at is null
