-- Records a set of checks with their versions.
-- Grain: one row per set; :checks is canonical JSON, check name to version. Dialect: SQLite.
insert or ignore into audit_suites (checks, created_at)
values (:checks, :now)
