-- Fails where SQLite was built without the math functions that rewards need.
-- Grain: one row. Dialect: SQLite.
select sin(0.0), cos(0.0), asin(0.0), exp(0.0), radians(0.0), sqrt(0.0)
