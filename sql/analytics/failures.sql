-- What went wrong, by class: final responses without coordinates, and requests that failed.
-- Grain: one row per recipe, kind (answer or request) and class. A request that was tried again
-- with success is counted too; a response is counted as its newest reading. Dialect: DuckDB, over
-- the view of views.sql.
with found as (
  select recipe, model, 'answer' as kind, answer_failure as class
  from trace_results
  where answer_failure is not null
  union all
  select t.recipe, t.model, 'request' as kind, a.error_class as class
  from attempts as a
  join trace_results as t on t.trace_id = a.trace_id
)
select recipe, model, kind, class, count(*) as failures
from found
group by recipe, model, kind, class
order by model, recipe, kind, failures desc, class
