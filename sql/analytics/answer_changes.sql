-- Traces whose final response two versions of the parser read differently, with the text around.
-- Grain: one row per trace whose newest reading differs from the one before it, the largest move
-- first. A trace that only one version has read is not here.
-- Parameters: none.
-- Units: degrees, km.
-- Columns:
--   before, after  the coordinates, or why there are none, by the older and the newest version
--   changed        what differs: coordinates (or why there are none), form, flags, words, confidence
--   moved_km       between the two, where both are coordinates
--   words_*        the city, region and country that the answer names in words; null where it names
--                  none, and where both versions read the same
--   confidence_*   that it states, from 0 to 1 with its form; null likewise
--   flags_*        as the parser raised them
--   text           of the final response: from just before its last box or answer tag, or its last
--                  240 characters
-- Dialect: DuckDB, over the views of views.sql.
with
versions as (
  select
    trace_id,
    max(parser_version) as newer,
    max(parser_version) filter (
      parser_version < (select max(parser_version) from answers as b where b.trace_id = a.trace_id)
    ) as older
  from answers as a
  group by trace_id
  having count(*) > 1
),
changed as (
  select
    v.trace_id, v.older, v.newer,
    o.lat as old_lat, o.lon as old_lon, o.failure as old_failure, o.form as old_form,
    o.flags as old_flags,
    n.lat, n.lon, n.failure, n.form, n.flags,
    (o.lat, o.lon, o.failure) is distinct from (n.lat, n.lon, n.failure) as other_place,
    (o.said_city, o.said_region, o.said_country)
      is distinct from (n.said_city, n.said_region, n.said_country) as other_words,
    (o.confidence, o.confidence_form)
      is distinct from (n.confidence, n.confidence_form) as other_confidence,
    nullif(concat_ws(
      '; ', 'city ' || o.said_city, 'region ' || o.said_region, 'country ' || o.said_country
    ), '') as old_words,
    nullif(concat_ws(
      '; ', 'city ' || n.said_city, 'region ' || n.said_region, 'country ' || n.said_country
    ), '') as words,
    format('{:g} ({})', o.confidence, o.confidence_form) as old_confidence,
    format('{:g} ({})', n.confidence, n.confidence_form) as confidence
  from versions as v
  join answers as o on o.trace_id = v.trace_id and o.parser_version = v.older
  join answers as n on n.trace_id = v.trace_id and n.parser_version = v.newer
  where (o.form, o.flags) is distinct from (n.form, n.flags)
    or other_place
    or other_words
    or other_confidence
),
responses as (
  select trace_id, arg_max(response, turn) as response
  from turns
  where trace_id in (select trace_id from changed)
  group by trace_id
),
placed as (
  select
    trace_id,
    response,
    -- From its end: the last of several counts.
    case
      when contains(response, '\boxed') then length(response) - strpos(reverse(response), 'dexob\') - 5
      when contains(response, '<answer>')
        then length(response) - strpos(reverse(response), '>rewsna<') - 7
      else length(response) - 200
    end as place
  from responses
)
select
  t.trace,
  c.older as parser_before,
  c.newer as parser_after,
  coalesce(c.old_failure, format('{:.6f}, {:.6f}', c.old_lat, c.old_lon)) as before,
  coalesce(c.failure, format('{:.6f}, {:.6f}', c.lat, c.lon)) as after,
  concat_ws(
    ', ',
    if(c.other_place, 'coordinates', null),
    if(c.old_form is distinct from c.form, 'form', null),
    if(c.old_flags is distinct from c.flags, 'flags', null),
    if(c.other_words, 'words', null),
    if(c.other_confidence, 'confidence', null)
  ) as changed,
  if(c.other_words, c.old_words, null) as words_before,
  if(c.other_words, c.words, null) as words_after,
  if(c.other_confidence, c.old_confidence, null) as confidence_before,
  if(c.other_confidence, c.confidence, null) as confidence_after,
  c.old_form as form_before,
  c.form as form_after,
  c.old_flags as flags_before,
  c.flags as flags_after,
  km_between(c.lat, c.lon, c.old_lat, c.old_lon) as moved_km,
  substring(p.response, greatest(1, p.place - 40), 240) as text
from changed as c
join trace_results as t on t.trace_id = c.trace_id
join placed as p on p.trace_id = c.trace_id
order by moved_km desc nulls last, t.sample_index, t.trace
