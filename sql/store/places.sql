-- The places of samples and answers: which are missing, and their rows.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- part: unplaced_sample_columns
-- What is looked up of a sample, s.
s.id as sample_id, s.lat, s.lon, s.country as stated_words

-- part: sample_is_unplaced
-- Whether neither this version of the gazetteer nor a newer one has placed a sample, s.
not exists (
  select 1
  from sample_places
  where sample_id = s.id and gazetteer_version >= :gazetteer_version
)

-- part: unplaced_answers
-- The answers, a, of the traces with ids in (:after, :last] that neither this version of the gazetteer nor
-- a newer one has placed.
from answers as a
where a.trace_id > :after
  and a.trace_id <= :last
  and not exists (
    select 1
    from answer_places
    where trace_id = a.trace_id
      and parser_version = a.parser_version
      and gazetteer_version >= :gazetteer_version
  )

-- name: count_places
-- Counts of a store. Nothing is missing where there are as many places as samples and answers, because a
-- place is of one that there is.
-- Grain: one row. Places by :gazetteer_version.
select
  (select count(*) from samples) as samples,
  (
    select count(*) from sample_places where gazetteer_version = :gazetteer_version
  ) as sample_places,
  (select count(*) from answers) as answers,
  (
    select count(*) from answer_places where gazetteer_version = :gazetteer_version
  ) as answer_places;

-- name: count_places_of_range
-- The same counts of answers, for a range of traces.
-- Grain: one row. Traces with ids in (:after, :last].
select
  (select count(*) from answers where trace_id > :after and trace_id <= :last) as answers,
  (
    select count(*)
    from answer_places
    where trace_id > :after and trace_id <= :last and gazetteer_version = :gazetteer_version
  ) as answer_places;

-- name: first_answer
-- The first trace after an id that has an answer; null where there is none.
-- Grain: one row.
select min(trace_id) as first
from answers
where trace_id > :after;

-- name: count_unplaced_samples
-- How many samples have no place.
-- Grain: one row.
select count(*) as samples
from samples as s
where {{sample_is_unplaced}};

-- name: unplaced_samples
-- The next samples without a place.
-- Grain: one row per sample with an id above :after, by id, at most :batch. Degrees.
select {{unplaced_sample_columns}}
from samples as s
where s.id > :after
  and {{sample_is_unplaced}}
order by s.id
limit :batch;

-- name: unplaced_sample_of_trace
-- The sample of a trace, if it has no place.
-- Grain: at most one row. Degrees.
select {{unplaced_sample_columns}}
from traces as t
cross join samples as s on s.id = t.sample_id
where t.id = :trace_id
  and {{sample_is_unplaced}};

-- name: count_unplaced_answers
-- How many answers of a range of traces have no place.
-- Grain: one row.
select count(*) as answers
{{unplaced_answers}};

-- name: unplaced_answers
-- The answers of a range of traces that have no place, each with the place of the truth.
-- Grain: one row per answer, by trace and version of the parser. Degrees; coordinates are null where the
-- answer has none. is_placed 0: no row says where the truth lies, by this version of the gazetteer.
select
  u.*,
  s.lat as true_lat,
  s.lon as true_lon,
  p.sample_id is not null as is_placed,
  p.country as true_country,
  p.region as true_region,
  p.city_id as true_city_id
from (
  select a.trace_id, a.parser_version, a.lat, a.lon, a.said_country, a.said_region, a.said_city
  {{unplaced_answers}}
) as u
cross join traces as t on t.id = u.trace_id
cross join samples as s on s.id = t.sample_id
left join sample_places as p
  on p.sample_id = s.id and p.gazetteer_version = :gazetteer_version
order by u.trace_id, u.parser_version;

-- name: put_sample_place
-- Records where a sample lies.
-- Grain: one row per sample and version of the gazetteer. km.
insert or ignore into sample_places (
  sample_id, gazetteer_version, country, region, city, city_id, city_km, coast_km, stated_country
)
values (
  :sample_id, :gazetteer_version, :country, :region, :city, :city_id, :city_km, :coast_km,
  :stated_country
);

-- name: put_answer_place
-- Records where an answer lies and which places its words name, if that answer is still there.
-- Grain: one row per answer and version of the gazetteer. km; :lat and :lon in degrees, as they were read:
-- the trace may have been opened and answered again meanwhile.
insert or ignore into answer_places (
  trace_id, parser_version, gazetteer_version, country, region, city, city_id, city_km, coast_km,
  said_country, said_true_country, said_true_region, said_true_city
)
select
  trace_id, parser_version, :gazetteer_version, :country, :region, :city, :city_id, :city_km,
  :coast_km, :said_country_code, :said_true_country, :said_true_region, :said_true_city
from answers
where trace_id = :trace_id
  and parser_version = :parser_version
  and lat is :lat
  and lon is :lon
  and said_country is :said_country
  and said_region is :said_region
  and said_city is :said_city;
