-- Keeps the names that statements may use in two variables. Listing them reads the whole catalogue,
-- which takes some milliseconds and would be done again for every question.
-- Grain: none. Dialect: DuckDB, with the store attached and the views of analytics made.
--   readable  the store's tables and views, and those of analytics
--   macros    the functions that geostore's own views define
set variable readable = (
  select list(name)
  from (
    select table_name as name
    from duckdb_tables()
    where database_name = 'store'
    union
    select view_name
    from duckdb_views()
    where not internal
  )
);
set variable macros = (
  select list(distinct function_name)
  from duckdb_functions()
  where not internal
);
