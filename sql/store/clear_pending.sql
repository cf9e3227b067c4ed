-- Empties the table of pending traces.
-- Grain: the table. Dialect: SQLite.
delete from temp.pending
