-- What went wrong, by class: final responses without coordinates, and requests that failed.
-- Grain: one row per recipe, kind (answer or request) and class.
-- Parameters: none.
-- Units: counts of responses, and of requests; shares from 0 to 1.
-- Columns:
--   kind      answer: a response as its newest reading says; request: also one that was sent again
--             and then succeeded
--   failures  how many, the most first; of_all: of so many responses that were read, or requests
--   share     failures of of_all, with its 95 % interval (Wilson)
-- Dialect: DuckDB, over the views of views.sql.
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
    count(*) filter (parse_success is not null) as answers,
    sum(turns) as turns
  from trace_results
  group by recipe
),
of_all as (
  select
    c.*,
    if(c.kind = 'answer', t.answers, t.turns + sum(c.failures) over (partition by c.recipe, c.kind))
      ::bigint as of_all
  from counted as c
  join totals as t on t.recipe = c.recipe
)
select
  recipe,
  model,
  kind,
  class,
  failures,
  of_all,
  failures / of_all as share,
  share_low(failures, of_all) as share_low,
  share_high(failures, of_all) as share_high
from of_all
order by model, recipe, kind, failures desc, class
