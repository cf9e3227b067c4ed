-- The files among some that are in the store, and their stamps when they were read.
-- Grain: one row per file. :paths is a JSON array. Dialect: SQLite.
select path, stamp
from imports
where path in (select value from json_each(:paths))
