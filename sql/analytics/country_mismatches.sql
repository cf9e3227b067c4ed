-- Samples whose country in the dataset is not that of their coordinates, or names none that is known.
-- Grain: one row per such sample, those of one kind together, then by the dataset's words.
-- Parameters: none.
-- Units: degrees, km.
-- Columns:
--   mismatch        another country: both are known, and differ, as they may for a territory or beside a
--                   border; at sea: the coordinates lie in no country; unknown words: no name of a
--                   country known here
--   country         as the dataset writes it
--   stated_country  the ISO code that this names
--   true_country    the ISO code of the country in which the coordinates lie
--   coast_km        how far from its coast they lie; null on land
-- Samples whose dataset names no country are left out, and those whose place is not computed yet
-- (geostore rescore computes it).
-- Dialect: DuckDB, over the views of views.sql.
with places as (
  select sample_id, country, stated_country, coast_km
  from sample_places
  qualify row_number() over (partition by sample_id order by gazetteer_version desc) = 1
)
select
  case
    when p.stated_country is null then 'unknown words'
    when p.country is null then 'at sea'
    else 'another country'
  end as mismatch,
  d.name as dataset,
  s.sample_index,
  s.country,
  p.stated_country,
  p.country as true_country,
  s.lat,
  s.lon,
  p.coast_km
from samples as s
join places as p on p.sample_id = s.id
join datasets as d on d.id = s.dataset_id
where trim(s.country) <> ''
  and (p.stated_country is null or p.stated_country is distinct from p.country)
order by mismatch, s.country, dataset, s.sample_index
