-- Records that a trace file is in the store.
-- Grain: one row per file. Dialect: SQLite.
insert into imports (path, sha256, stamp, variant, stated_index, trace_id, created_at)
values (:path, :sha256, :stamp, :variant, :stated_index, :trace_id, :now)
on conflict (path) do update
  set stamp = excluded.stamp
  where sha256 = excluded.sha256
