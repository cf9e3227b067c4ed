-- What went wrong, by class: final responses without coordinates, and requests that failed.
-- Grain: one row per recipe, kind (answer or request) and class.
-- Parameters: none.
-- Units: counts of responses, and of requests.
-- Columns:
--   kind      answer: a response as its newest reading says; request: also one that was sent again
--             and then succeeded
--   failures  how many, the most first
-- Dialect: DuckDB, over the views of views.sql.
with failed as (
  select recipe, model, 'answer' as kind, answer_failure as class
  from trace_outcomes
  where answer_failure is not null
  union all
  select t.recipe, t.model, 'request' as kind, a.error_class as class
  from attempts as a
  join trace_outcomes as t on t.trace_id = a.trace_id
  where a.error_class <> 'probe'
)
select recipe, model, kind, class, count(*) as failures
from failed
group by recipe, model, kind, class
order by model, recipe, kind, failures desc, class
