-- Under which row number the dataset of a trace holds the photo with these stored bytes.
-- Grain: at most one row. Dialect: SQLite.
select other.sample_index
from traces as t
join samples as s on s.id = t.sample_id
join samples as other on other.dataset_id = s.dataset_id
where t.id = :trace_id and other.image_sha256 = :sha256
order by other.sample_index
limit 1
