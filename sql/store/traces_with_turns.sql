-- The traces of a dataset that hold a response, those of one photo side by side.
-- Grain: one row per trace, by row number, then in the order they were begun. Dialect: SQLite.
select t.id, t.sample_id
from samples as s
-- A cross join keeps this order of loops, in which rows come sorted from the indexes.
cross join traces as t on t.sample_id = s.id
where s.dataset_id = :dataset_id
  and exists (select 1 from turns where trace_id = t.id)
order by s.sample_index, t.id
