-- Lists of traces: the best, the worst or the newest of those that a filter keeps; and of tables.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- name: temp_listed
-- The traces that a filter keeps, in a table of this connection's own.
-- Grain: one row per trace.
create temp table if not exists listed (trace_id integer primary key) strict;

-- name: clear_listed
-- Empties the table of listed traces.
-- Grain: the table.
delete from temp.listed;

-- name: put_listed
-- Keeps the traces of a dataset that a filter keeps, for a list.
-- Grain: one row per trace. Parameters as in filtered_traces.
insert into temp.listed (trace_id)
select t.id
from {{filtered_traces}};

-- name: put_listed_of_choice
-- Keeps the traces that a choice keeps, for a list.
-- Grain: one row per trace of the choice :choice.
insert into temp.listed (trace_id)
select trace_id
from temp.lines
where choice = :choice and reason = '';

-- name: count_listed
-- How many traces a list is made of.
-- Grain: one row.
select count(*) as traces
from temp.listed;

-- name: listed_traces
-- The first of the traces in temp.listed, each with what a list shows of it.
-- Grain: one row per trace. :order is newest, best or worst; :limit is how many, -1 all. Columns as in
-- temp.trace_results, whose reward is that of the scores. What has no score yet comes last.
with first_ones as (
  select
    row_number() over (
      order by
        iif(:order = 'newest', coalesce(t.closed_at, t.created_at), null) desc,
        iif(:order = 'newest', t.id, null) desc,
        v.score_or_0 is null,
        iif(:order = 'worst', v.score_or_0, -v.score_or_0),
        iif(:order = 'worst', -v.distance_km_or_20000, v.distance_km_or_20000),
        -- A trace whose requests failed says less than one with a response.
        v.status = 'failed',
        v.dataset, v.sample_index, v.recipe, v.rollout, t.id
    ) as place,
    t.id
  from temp.listed as l
  join traces as t on t.id = l.trace_id
  join temp.trace_results as v on v.trace_id = t.id
  order by place
  limit :limit
)
select
  v.trace_id,
  v.trace,
  v.dataset,
  v.sample_index,
  v.country,
  v.locatability_score,
  v.lat,
  v.lon,
  v.recipe,
  v.model,
  v.with_tools,
  v.rollout,
  v.status,
  v.stop_reason,
  v.answer_lat,
  v.answer_lon,
  v.answer_failure,
  v.failure,
  v.distance_km,
  v.score,
  v.geoguessr_points,
  v.distance_km_or_20000,
  v.score_or_0,
  v.turns,
  v.tool_calls,
  v.total_tokens,
  v.closed_at
from first_ones as f
join temp.trace_results as v on v.trace_id = f.id
order by f.place;

-- name: list_columns
-- The tables and views of the store that are for its users, with their columns.
-- Grain: one row per table and column, in the order of the schema.
select t.name as table_name, c.name as column_name
from sqlite_master as t
join pragma_table_info(t.name) as c
where t.type in ('table', 'view') and t.name not like '\_%' escape '\' and t.name not like 'sqlite%'
order by t.rowid, c.cid;
