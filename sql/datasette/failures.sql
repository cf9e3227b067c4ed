-- What went wrong, by class: final responses without coordinates, and requests that failed.
-- Grain: as analytics/failures, without intervals.
-- Units: counts of responses, and of requests; shares from 0 to 1.
-- Dialect: SQLite, over the views of the schema.
with
failed as (
  select recipe, model, 'answer' as kind, answer_failure as class
  from trace_results
  where answer_failure is not null
  union all
  select t.recipe, t.model, 'request' as kind, a.error_class as class
  from attempts as a
  join trace_results as t on t.trace_id = a.trace_id
  where a.error_class <> 'probe'
),
counted as (
  select recipe, model, kind, class, count(*) as failures
  from failed
  group by recipe, model, kind, class
),
totals as (
  select
    recipe,
    count(*) filter (where parse_success is not null) as answers,
    sum(turns) as turns
  from trace_results
  group by recipe
),
of_all as (
  select
    c.*,
    case when c.kind = 'answer' then t.answers
      else t.turns + sum(c.failures) over (partition by c.recipe, c.kind) end as of_all
  from counted as c
  join totals as t on t.recipe = c.recipe
)
select recipe, model, kind, class, failures, of_all, failures * 1.0 / of_all as share
from of_all
order by model nulls last, recipe, kind, failures desc, class
