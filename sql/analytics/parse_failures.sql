-- Why final responses have no coordinates, by reason, model and finish reason, with an example of each.
-- Grain: one row per model, reason and finish reason, the model's most frequent first; over closed traces
-- with a final response.
-- Parameters: none.
-- Units: counts of traces; shares from 0 to 1.
-- Columns:
--   reason         as the newest reading says (answer_failure)
--   finish_reason  that the server gave with the final response; null where it gave none
--   failures       final responses with both; responses: all of the model that were read
--   share          failures of responses, with its 95 % interval (Wilson)
--   example        the first such trace, and the last 200 characters of its final response
-- Dialect: DuckDB, over the views of views.sql; within it SQLite's, see below.
with
-- SQLite runs this part, because it looks up the last turn of the few traces that failed, where DuckDB
-- would read all turns. Numbers arrive as text.
failed as (
  select model, reason, finish_reason, failures::bigint as failures, example::bigint as example, text
  from sqlite_query('store', $$
    with
    failed as materialized (
      select trace_id, failure
      from answers as a
      where failure is not null
        and parser_version = (
          select max(n.parser_version) from answers as n where n.trace_id = a.trace_id
        )
    ),
    counted as (
      select
        r.model,
        f.failure as reason,
        k.finish_reason,
        count(*) as failures,
        min(f.trace_id) as example
      from failed as f
      cross join traces as t on t.id = f.trace_id
      cross join recipes as r on r.id = t.recipe_id
      cross join turns as k
        on k.trace_id = f.trace_id
        and k.turn = (select max(n.turn) from turns as n where n.trace_id = f.trace_id)
      where t.status <> 'open'
      group by r.model, f.failure, k.finish_reason
    )
    select
      *,
      (
        select substr(k.response, -200)
        from turns as k
        where k.trace_id = c.example
        order by k.turn desc
        limit 1
      ) as text
    from counted as c
  $$)
),
answered as (
  select model, count(*) as responses
  from trace_results
  where parse_success is not null
  group by model
)
select
  f.model,
  f.reason,
  f.finish_reason,
  f.failures,
  a.responses,
  f.failures / a.responses as share,
  share_low(f.failures, a.responses) as share_low,
  share_high(f.failures, a.responses) as share_high,
  t.trace as example,
  f.text
from failed as f
join answered as a on a.model is not distinct from f.model
join trace_names as t on t.trace_id = f.example
order by f.model, f.failures desc, f.reason, f.finish_reason
