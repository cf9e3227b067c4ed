-- Traces that other scripts wrote as files: where each came from, and null for what is not known.
-- Dialect: SQLite, STRICT tables. Times are ISO-8601 UTC text.
--
-- Files do not say all that a request says, so some columns lose their "not null"; what generate
-- writes must still have them, by checks. SQLite's documented way for such a change, which touches
-- no row, is to edit the text of the schema: it takes no time on a store of any size, and whatever
-- else stands in the tables stays.
-- Source: https://www.sqlite.org/lang_altertable.html, "making other kinds of table schema changes".
pragma writable_schema = on;

-- A dataset that was never opened here, only named by its path, has no fingerprint.
update sqlite_schema
set sql = replace(replace(replace(replace(sql,
  'fingerprint text not null unique', 'fingerprint text unique'),
  'num_rows integer not null',
  'num_rows integer check (num_rows is not null or fingerprint is null)'),
  'columns text not null check (json_valid(columns))',
  'columns text check (iif(columns is null, fingerprint is null, json_valid(columns)))'),
  'column_map text not null check (json_valid(column_map))',
  'column_map text check (iif(column_map is null, fingerprint is null, json_valid(column_map)))')
where type = 'table' and name = 'datasets';

update sqlite_schema
set sql = replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
  replace(replace(replace(sql,
  'model text not null', 'model text'),
  'system_prompt text not null', 'system_prompt text'),
  'user_prompt text not null', 'user_prompt text'),
  'tools text not null check (', 'tools text check (tools is null or '),
  'protocol text not null', 'protocol text'),
  'bbox_frame text not null', 'bbox_frame text'),
  'limits text not null check (', 'limits text check (limits is null or '),
  'temperature real not null', 'temperature real'),
  'max_tokens integer not null', 'max_tokens integer'),
  'extra_body text not null check (', 'extra_body text check (extra_body is null or '),
  'max_calls_per_turn integer not null', 'max_calls_per_turn integer'),
  'max_nudges integer not null', 'max_nudges integer'),
  'answer_with_calls text not null', 'answer_with_calls text')
where type = 'table' and name = 'recipes';

update sqlite_schema
set sql = replace(replace(sql,
  'turn_limit integer not null', 'turn_limit integer check (turn_limit is not null or run_id is null)'),
  'request_sha256 text not null',
  'request_sha256 text check (request_sha256 is not null or run_id is null)')
where type = 'table' and name = 'turns';

update sqlite_schema
set sql = replace(sql, 'observation text not null', 'observation text')
where type = 'table' and name = 'tool_calls';

-- Reads the edited schema anew.
pragma writable_schema = reset;

-- Without a fingerprint the path is all there is to know a dataset by.
create unique index datasets_unseen on datasets (path) where fingerprint is null;

-- What trace files say of a recipe that nobody can prove; null: every column is known, and the hash
-- covers them. No generate run finds a row that has it, because its hash is of other content.
alter table recipes add column imported text
  check (imported is null or json_valid(imported))
  check (
    imported is not null or (
      model is not null and system_prompt is not null and user_prompt is not null
      and tools is not null and protocol is not null and bbox_frame is not null
      and limits is not null and temperature is not null and max_tokens is not null
      and extra_body is not null and max_calls_per_turn is not null and max_nudges is not null
      and answer_with_calls is not null
    )
  );

-- What was sent for a turn of an imported trace, as its file says it: a JSON array of messages,
-- images by their hashes, "system" for the recipe's system message, "assistant" for the turn before.
-- Null: it follows from rows; or, in a trace of an imported recipe, nobody knows.
alter table turns add column messages text check (messages is null or json_valid(messages));

-- One row per trace file that was imported. A file with the same stamp need not be read again; one
-- with the same hash is the same, wherever it lies.
create table imports (
  id integer primary key,
  path text not null unique,             -- absolute
  sha256 text not null,                  -- of the file's bytes
  stamp text not null,                   -- size and times of the file when it was read
  variant text not null check (variant in ('geostore', 'history', 'log')), -- form of the file
  stated_index integer not null,         -- the file's sample_index; its sample may be another row
  trace_id integer not null references traces (id),
  created_at text not null
) strict;

create index imports_by_content on imports (sha256);
create index imports_by_trace on imports (trace_id);
