-- The rows of trace_facts, written again from trace_facts_now where a transaction changes what they
-- follow from.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- part: put_facts
-- Writes the rows of closed traces anew; followed by the condition that names the traces.
insert or replace into trace_facts
select *
from trace_facts_now
where status <> 'open'

-- part: update_places
-- Writes the columns of places anew; followed by the condition that names the rows, f.
update trace_facts as f
set (
  true_gazetteer, true_country, true_region, true_city, stated_country,
  answer_gazetteer, answer_country, answer_region, answer_city,
  country_correct, region_correct, city_correct,
  country_correct_or_0, region_correct_or_0, city_correct_or_0,
  said_country, said_true_country, said_true_region, said_true_city
) = (
  select
    true_gazetteer, true_country, true_region, true_city, stated_country,
    answer_gazetteer, answer_country, answer_region, answer_city,
    country_correct, region_correct, city_correct,
    country_correct_or_0, region_correct_or_0, city_correct_or_0,
    said_country, said_true_country, said_true_region, said_true_city
  from trace_facts_now
  where trace_id = f.trace_id
)

-- part: update_rewards
-- Writes the columns of the default reward anew; followed by the condition that names the rows, f.
update trace_facts as f
set (reward_version, distance_km, score, geoguessr_points) = (
  select reward_version, distance_km, score, geoguessr_points
  from trace_facts_now
  where trace_id = f.trace_id
)

-- name: put_trace_facts
-- Writes the facts of one trace anew, if it is closed.
-- Grain: at most one row.
{{put_facts}}
  and trace_id = :trace_id;

-- name: drop_trace_facts
-- Removes the facts of one trace, which is open again.
-- Grain: at most one row.
delete from trace_facts
where trace_id = :trace_id;

-- name: put_places_of_samples
-- Writes the places in the facts of all traces of some samples anew.
-- Grain: one row per closed trace. :sample_ids is a JSON array.
{{update_places}}
where trace_id in (
  select t.id
  from json_each(:sample_ids) as j
  cross join traces as t on t.sample_id = j.value
);

-- name: put_places_of_traces
-- Writes the places in the facts of some traces anew.
-- Grain: one row per closed trace. :trace_ids is a JSON array.
{{update_places}}
where trace_id in (select value from json_each(:trace_ids));

-- name: put_rewards_of_pending
-- Writes the rewards in the facts of the pending traces anew, where a spec is the store's default.
-- Grain: one row per closed trace of temp.pending with an id in (:after, :last].
{{update_rewards}}
where :spec_id = (select id from reward_specs where is_default = 1)
  and trace_id in (
    select trace_id
    from temp.pending
    where trace_id > :after and trace_id <= :last
  );

-- name: put_rewards_of_default
-- Writes the rewards in all facts anew that the store's default, which is another now, has or had.
-- Grain: one row per closed trace.
{{update_rewards}}
where reward_version is not null
  or exists (
    select 1
    from rewards
    where spec_id = (select id from reward_specs where is_default = 1) and trace_id = f.trace_id
  );

-- part: facts_of_range
-- The rows of trace_facts of a range of traces.
select * from trace_facts where trace_id > :after and trace_id <= :last

-- part: facts_now_of_range
-- What they have to be.
select * from trace_facts_now where status <> 'open' and trace_id > :after and trace_id <= :last

-- name: first_of_facts
-- The first trace after an id that there is, or of which there are facts; null where there is none.
-- Grain: one row.
select min(id) as first
from (
  select min(id) as id from traces where id > :after
  union all
  select min(trace_id) from trace_facts where trace_id > :after
);

-- name: unequal_facts
-- The traces of a range whose facts are not what follows from their rows.
-- Grain: one row per trace with an id in (:after, :last], by id. trace: null where it is gone.
select u.trace_id, {{trace_name}} as trace
from (
  select trace_id from ({{facts_of_range}} except {{facts_now_of_range}})
  union
  select trace_id from ({{facts_now_of_range}} except {{facts_of_range}})
) as u
left join traces as t on t.id = u.trace_id
left join samples as s on s.id = t.sample_id
left join datasets as n on n.id = s.dataset_id
left join recipes as r on r.id = t.recipe_id
order by u.trace_id;

-- name: get_trace_facts
-- The facts of one trace.
-- Grain: at most one row.
select *
from trace_facts
where trace_id = :trace_id;

-- name: get_trace_facts_now
-- What they have to be; none for an open trace.
-- Grain: at most one row.
select *
from trace_facts_now
where trace_id = :trace_id and status <> 'open';
