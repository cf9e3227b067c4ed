-- The tree that DuckDB parses a statement to, as JSON: {"error": ..., "statements": [{"node": ...}]}.
-- Grain: one row. Dialect: DuckDB.
--   statement  the text of one statement; anything but a select gives an error
select json_serialize_sql($statement::varchar, skip_null := true, skip_empty := true);
