-- Which countries are taken for which: the true country against that of the answer.
-- Grain: one row per true country and country of an answer to it, over closed traces of all recipes; the
-- true countries with the most traces first.
-- Parameters: none.
-- Units: shares from 0 to 1.
-- Columns:
--   true_country    of the photo's coordinates, as ISO code; photos far out at sea are left out
--   answer_country  of the answered coordinates; 'no answer' where there are none, 'at sea' far out
--   traces          with both
--   true_traces     of the true country, whatever their answer
--   share           of them that have this answer, failures among them; the row in which both countries
--                   are the same has the accuracy. share_low, share_high: its 95 % interval (Wilson)
-- Places that are not computed yet are left out (geostore rescore computes them).
-- Dialect: DuckDB, over the views of views.sql.
with answered as (
  select
    true_country,
    case
      when answer_lat is null then 'no answer'
      else coalesce(answer_country, 'at sea')
    end as answer_country
  from trace_results
  where country_correct_or_0 is not null
)
select
  true_country,
  answer_country,
  count(*) as traces,
  (sum(count(*)) over of_truth)::bigint as true_traces,
  count(*) / sum(count(*)) over of_truth as share,
  share_low(count(*), sum(count(*)) over of_truth) as share_low,
  share_high(count(*), sum(count(*)) over of_truth) as share_high
from answered
group by true_country, answer_country
window of_truth as (partition by true_country)
order by true_traces desc, true_country, traces desc, answer_country
