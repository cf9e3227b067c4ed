-- What the store knows of some dataset rows.
-- Grain: one row per dataset row that was drawn. :indices is a JSON array of row numbers.
-- Dialect: SQLite.
select s.sample_index, s.id as sample_id, s.exclusion
from json_each(:indices) as i
join samples as s on s.dataset_id = :dataset_id and s.sample_index = i.value
order by s.sample_index
