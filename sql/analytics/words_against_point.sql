-- Answers that name one country in words while their coordinates lie in another.
-- Grain: one row per trace, by model and words.
-- Parameters: the reward whose scores count; the store's default where none is named.
-- Units: degrees, km.
-- Columns:
--   words           that the newest reading took for the country, as the teacher wrote them; said_region
--                   and said_city: for the region and the city
--   said_country    the ISO code that these words name
--   answer_country  of the coordinates, as ISO code; null far out at sea
--   true_country    of the photo, as ISO code
--   flag            of geostore audit: how far the point is from the country in words; null where it is
--                   near that country, in a territory of it, or in land that it claims and GeoNames counts to
--                   it, or the trace was not audited yet
-- Words that name no country known here are no such contradiction. Answers whose place is not computed
-- yet are left out (geostore rescore computes it).
-- Dialect: DuckDB, over the views of views.sql.
select
  t.trace,
  t.model,
  a.said_country as words,
  t.said_region,
  t.said_city,
  t.said_country,
  t.answer_country,
  t.true_country,
  t.answer_lat,
  t.answer_lon,
  t.distance_km,
  f.detail as flag
from trace_results as t
join answers as a on a.trace_id = t.trace_id
left join trace_flags as f on f.trace_id = t.trace_id and f.flag = 'words_against_point'
where t.answer_lat is not null
  and t.said_country is distinct from t.answer_country
  and t.said_country is not null
  and (a.trace_id, a.parser_version) in (
    select (trace_id, max(parser_version)) from answers group by trace_id
  )
order by t.model, t.said_country, t.answer_country, t.sample_index, t.trace
