-- The distances of accuracy in km that were named; null where none was, so that each question has its
-- usual ones.
-- Grain: one row. Dialect: DuckDB, with the variable named_km set.
select getvariable('named_km') as km;
