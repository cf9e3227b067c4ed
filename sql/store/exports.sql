-- Exports that were written, and whether the store has changed since.
-- Dialect: SQLite.

-- name: put_export
-- Records that an export was written.
-- Grain: one row per export. sha256 is the manifest's.
insert into exports (format, options, trace_count, sha256, path, made_from, created_at)
values (:format, :options, :trace_count, :sha256, :path, :made_from, :now);

-- name: last_export
-- What the last export to a path was made from; null where that is not known.
-- Grain: at most one row.
select made_from
from exports
where path = :path
order by id desc
limit 1;

-- name: export_mark
-- The mark of what exports read, as it is now.
-- Grain: at most one row; none where it changed since the last mark was put.
select mark
from export_mark;

-- name: put_export_mark
-- Puts a mark where there is none.
-- Grain: at most one row. :mark is random.
insert into export_mark (mark)
select :mark
where not exists (select 1 from export_mark);
