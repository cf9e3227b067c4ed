-- SQLite's own check of the file: pages, indexes, and the constraints of every row.
-- Grain: one row per thing found wrong, or the one row "ok"; at most 100. Dialect: SQLite.
pragma integrity_check(100)
