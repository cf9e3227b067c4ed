-- Empties the table of candidates.
-- Grain: the table. Dialect: SQLite.
delete from temp.candidates
