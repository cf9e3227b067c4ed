-- Which of the traces that a filter keeps are read, in which order, and why the others are not.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- name: temp_picks
-- The traces that a filter keeps, as a choice sees them, in a table of this connection's own.
-- Grain: one row per choice, by its number, and trace.
--   place    in the order of dataset names, row numbers, recipe hashes and rollouts, from 1
--   score    of the chosen reward; tokens: of the last request and its response; null: not known
--   rank     from 1, the best trace of all
--   value    what traces have in common of which only some are kept
--   reason   why it is left out; null: it is kept
create temp table if not exists picks (
  choice integer not null,
  place integer not null,
  trace_id integer not null,
  sample_id integer not null,
  score real,
  tokens integer,
  rank integer,
  value any,
  reason text,
  primary key (choice, place)
) strict, without rowid;

-- name: put_picks
-- Adds the traces of a dataset that a filter keeps to a choice.
-- Grain: one row per trace. :choice is the number of the choice, :before the places that are taken;
-- other parameters as in filtered_traces.
insert into temp.picks (choice, place, trace_id, sample_id, score, tokens, reason)
select
  :choice,
  :before + row_number() over (order by s.sample_index, r.sha256, t.rollout),
  t.id,
  s.id,
  w.score,
  nullif({{trace_tokens}}, 0),
  iif(:images_needed and not {{images_are_known}}, 'images', null)
from {{filtered_traces}};

-- name: rank_picks
-- Says which trace is the best, the second best, ...
-- Grain: one row per trace of the choice :choice.
update temp.picks
set rank = ranked.rank
from (
  select
    place,
    row_number() over (order by score is null, score desc, tokens is null, tokens, place) as rank
  from temp.picks
  where choice = :choice
) as ranked
where picks.choice = :choice and picks.place = ranked.place;

-- name: leave_out_near
-- Leaves out the samples that lie near a place.
-- Grain: one row per trace of the choice :choice that is left out. is_near is a function of the
-- connection's: of degrees, 1 or 0.
update temp.picks
set reason = 'near'
where choice = :choice
  and reason is null
  and sample_id in (
    select s.id
    from (select distinct sample_id from temp.picks where choice = :choice and reason is null) as p
    join samples as s on s.id = p.sample_id
    where is_near(s.lat, s.lon)
  );

-- name: value_by_sample
-- Lets traces of one sample have the same value.
-- Grain: one row per trace of the choice :choice.
update temp.picks set value = sample_id where choice = :choice;

-- name: value_by_photo
-- Lets traces of one photo have the same value. A photo whose bytes were never read is one by itself.
-- Grain: one row per trace of the choice :choice.
update temp.picks
set value = coalesce(
  (select image_sha256 from samples where id = picks.sample_id), 'sample ' || sample_id
)
where choice = :choice;

-- name: words_of_picks
-- What the teacher thought and said in some traces.
-- Grain: one row per turn, in order: traces with places in (:after, :last] of the choice :choice that
-- are not left out yet.
select p.place, k.reasoning, k.response
from temp.picks as p
join turns as k on k.trace_id = p.trace_id
where p.choice = :choice and p.place > :after and p.place <= :last and p.reason is null
order by p.place, k.turn;

-- name: put_value
-- Sets the value of one trace.
-- Grain: one row.
update temp.picks set value = :value where choice = :choice and place = :place;

-- name: last_place
-- How many traces a choice sees.
-- Grain: one row.
select count(*) as places
from temp.picks
where choice = :choice;

-- name: value_by_column
-- Lets traces with the same value in a column of trace_results have it.
-- Grain: one row per trace of the choice :choice. The column's name, quoted, stands in place of the
-- comment below.
update temp.picks
set value = (
  select
/*column*/
  from temp.trace_results as v
  where v.trace_id = picks.trace_id
)
where choice = :choice and reason is null;

-- name: value_by_sample_column
-- Lets traces whose samples have the same value in a column of their dataset have it.
-- Grain: one row per trace of the choice :choice.
update temp.picks
set value = (
  select {{value_in_column}}
  from samples as s
  join datasets as d on d.id = s.dataset_id
  where s.id = picks.sample_id
)
where choice = :choice and reason is null;

-- part: value_in_column
-- The value of a sample s of a dataset d in the dataset's column :column. One that plays a role
-- stands in the sample under its role.
coalesce(
  (select c.value from json_each(s.columns) as c where c.key = :column),
  case (select m.key from json_each(d.column_map) as m where m.value = :column)
    when 'lat' then s.lat
    when 'lon' then s.lon
    when 'locatability_score' then s.locatability_score
    when 'country' then s.country
  end
)

-- name: has_sample_column
-- Whether a sample of a choice has a column of its dataset of this name.
-- Grain: one row: 1 or 0.
select exists (select 1 from ({{columns_of_picks}}) where name = :column) as present;

-- name: sample_columns
-- The columns that samples of a choice have of their datasets.
-- Grain: one row per name.
select distinct name
from (
{{columns_of_picks}}
)
order by name;

-- part: columns_of_picks
-- The columns that samples of the choice :choice have of their datasets, also those that play a role.
-- Grain: one row per trace and name.
select c.key as name
from temp.picks as p
join samples as s on s.id = p.sample_id
join json_each(s.columns) as c
where p.choice = :choice
union all
select m.value as name
from temp.picks as p
join samples as s on s.id = p.sample_id
join datasets as d on d.id = s.dataset_id
join json_each(d.column_map) as m
where p.choice = :choice and m.key <> 'image'

-- name: leave_out_beyond
-- Leaves out all but the :most best traces of each value.
-- Grain: one row per trace of the choice :choice that is left out, for the reason :reason.
update temp.picks
set reason = :reason
from (
  select place, row_number() over (partition by value order by rank) as number
  from temp.picks
  where choice = :choice and reason is null
) as numbered
where picks.choice = :choice
  and picks.place = numbered.place
  and numbered.number > :most;

-- name: temp_lines
-- The traces of a choice in the order in which they are read, in a table of this connection's own.
-- Grain: one row per choice, reason, which is empty for traces that are kept, and trace.
create temp table if not exists lines (
  choice integer not null,
  reason text not null,
  line integer not null,
  trace_id integer not null,
  primary key (choice, reason, line)
) strict, without rowid;

-- name: put_lines
-- Puts the first traces of a choice that are not left out into their order.
-- Grain: one row per trace, at most :limit, -1 for all. :order is dataset, score, hardest, easiest,
-- length or random; random_key is a function of the connection's: of a seed and a text, a whole number
-- that looks random.
insert into temp.lines (choice, reason, line, trace_id)
select
  :choice,
  '',
  row_number() over (
    order by
      case :order
        when 'score' then p.rank
        when 'hardest' then s.locatability_score is null
        when 'easiest' then s.locatability_score is null
        when 'length' then p.tokens is null
        when 'random' then random_key(
          :seed,
          coalesce(d.fingerprint, d.path) || ' ' || s.sample_index || ' ' || r.sha256 || ' '
          || t.rollout
        )
      end,
      case :order
        when 'hardest' then s.locatability_score
        when 'easiest' then -s.locatability_score
        when 'length' then p.tokens
      end,
      p.place
  ) as line,
  p.trace_id
from temp.picks as p
join traces as t on t.id = p.trace_id
join samples as s on s.id = p.sample_id
join datasets as d on d.id = s.dataset_id
join recipes as r on r.id = t.recipe_id
where p.choice = :choice and p.reason is null
order by line
limit :limit;

-- name: put_lines_without_images
-- Puts the traces of a choice whose images cannot be made again into their order.
-- Grain: one row per trace.
insert into temp.lines (choice, reason, line, trace_id)
select :choice, reason, place, trace_id
from temp.picks
where choice = :choice and reason = 'images';

-- name: leave_out_without_line
-- Leaves out the traces for which a limit had no room.
-- Grain: one row per trace of the choice :choice that is left out.
update temp.picks
set reason = 'limit'
where choice = :choice
  and reason is null
  and trace_id not in (select trace_id from temp.lines where choice = :choice and reason = '');

-- name: count_picks
-- How many traces a choice keeps, and how many it leaves out for each reason.
-- Grain: one row per reason, null for traces that are kept.
select reason, count(*) as traces
from temp.picks
where choice = :choice
group by reason;

-- name: picked_traces
-- The traces of a choice in its order, each with its sample, newest answer and a reward; columns as in
-- get_trace.
-- Grain: one row per trace. :reason is that of temp.lines.
select
  t.id, t.recipe_id, s.dataset_id, {{trace_columns}}
from temp.lines as c
-- A cross join keeps this order of loops, in which rows come sorted from the lines.
cross join traces as t on t.id = c.trace_id
join samples as s on s.id = t.sample_id
join recipes as r on r.id = t.recipe_id
{{newest_answer}}
left join reward_specs as p on p.id = :spec_id
left join rewards as w on w.trace_id = t.id and w.spec_id = p.id
where c.choice = :choice and c.reason = :reason
order by c.line;

-- name: picked_recipes
-- The datasets and recipes of the traces that a choice keeps.
-- Grain: one row per dataset and recipe, by the recipe's hash.
select distinct s.dataset_id, t.recipe_id, r.sha256
from temp.lines as c
join traces as t on t.id = c.trace_id
join samples as s on s.id = t.sample_id
join recipes as r on r.id = t.recipe_id
where c.choice = :choice and c.reason = ''
order by r.sha256;

-- name: picked_samples
-- The samples of the traces that a choice keeps, in its order.
-- Grain: one row per trace.
select {{sample_columns}}, s.dataset_id
from temp.lines as c
cross join traces as t on t.id = c.trace_id
join samples as s on s.id = t.sample_id
where c.choice = :choice and c.reason = ''
order by c.line;

-- name: put_spread_lines
-- Makes a choice, :spread, of some samples of another, with all traces that it keeps of them.
-- Grain: one row per trace. Samples come in the order of random_key, which is as in put_lines, until
-- they have :about traces.
insert into temp.lines (choice, reason, line, trace_id)
with
kept as (
  select t.sample_id, count(*) as traces
  from temp.lines as c
  join traces as t on t.id = c.trace_id
  where c.choice = :choice and c.reason = ''
  group by t.sample_id
),

keyed as (
  select
    k.sample_id,
    k.traces,
    random_key(0, coalesce(d.fingerprint, d.path) || ' ' || s.sample_index) as key
  from kept as k
  join samples as s on s.id = k.sample_id
  join datasets as d on d.id = s.dataset_id
),

counted as (
  select
    sample_id,
    sum(traces) over (order by key, sample_id rows unbounded preceding) - traces as before
  from keyed
)

select :spread, c.reason, c.line, c.trace_id
from temp.lines as c
join traces as t on t.id = c.trace_id
where c.choice = :choice
  and c.reason = ''
  and t.sample_id in (select sample_id from counted where before < :about);
