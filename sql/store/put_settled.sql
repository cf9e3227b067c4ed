-- Records how far the log is dealt with; never back.
-- Grain: one row per kind and version. Dialect: SQLite.
insert into settled (kind, version, log_id)
values (:kind, :version, :log_id)
on conflict (kind, version) do update
  set log_id = excluded.log_id
  where excluded.log_id > settled.log_id
