-- The next closed traces to be audited, each with what is compared with its text.
-- Grain: one row per trace, by id. Those with ids above :after, at most :batch. :older_suite null:
-- traces that were not audited since they were closed, whose answer was read anew, or whose recipe
-- was asked of a second photo since; else traces that were last audited with that set of checks.
-- prompts_read is 1 where the recipe was asked of this photo only. Dialect: SQLite.
select
  t.id, t.closed_at, t.recipe_id,
  not exists (
    select 1 from traces where recipe_id = t.recipe_id and sample_id <> t.sample_id
  ) as prompts_read,
  s.sample_index, s.lat, s.lon, s.locatability_score, s.country, s.columns, s.image_sha256,
  s.image_format, s.width, s.height, s.exclusion,
  t.sent_sha256, t.sent_pixels_xxh128, t.sent_width, t.sent_height,
  d.path as dataset_path,
  w.parser_version, w.lat as answer_lat, w.lon as answer_lon, w.form, w.failure, w.flags
from traces as t
join samples as s on s.id = t.sample_id
join datasets as d on d.id = s.dataset_id
left join audits as a on a.trace_id = t.id
left join answers as w
  on w.trace_id = t.id
  and w.parser_version = (select max(parser_version) from answers where trace_id = t.id)
where t.id > :after
  and t.status <> 'open'
  and iif(
    :older_suite is null,
    a.trace_id is null
    or a.parser_version is not w.parser_version
    or a.prompts_read <> not exists (
      select 1 from traces where recipe_id = t.recipe_id and sample_id <> t.sample_id
    ),
    a.suite_id = :older_suite
  )
order by t.id
limit :batch
