-- Statements that let every table of traces hold the chosen ones alone, for this transaction.
-- Grain: one row per statement, to be run in this order. Dialect: DuckDB, with the store attached and the
-- views of analytics made. Temporary views of the tables' names stand before the tables; trace_results and
-- trace_names are put aside under another name first, because the former also reads what is no table here.
with tables as (
  select table_name as name, column_name as key
  from duckdb_columns()
  where database_name = 'store'
    and (column_name = 'trace_id' or (table_name = 'traces' and column_name = 'id'))
    and table_name in (select table_name from duckdb_tables() where database_name = 'store')
)
select unnest(
  ['create temp table chosen (trace_id bigint primary key)']
  || (
    select list(format(
      'create or replace temp view "{}" as select * from store."{}" where "{}" in (select trace_id from chosen)',
      name, name, key
    ) order by name)
    from tables
  )
  || flatten([
    [
      format('alter view {} rename to every_{}', name, name),
      format(
        'create temp view {} as select * from every_{} where trace_id in (select trace_id from chosen)',
        name, name
      )
    ]
    for name in ['trace_results', 'trace_names']
  ])
) as statement
