-- Records that a generate process started.
-- Grain: one row per process. Dialect: SQLite.
insert into runs (arguments, versions, host, pid, process_started, started_at)
values (:arguments, :versions, :host, :pid, :process_started, :now)
