-- What checks found in traces, so that queries and exports can leave out what would spoil training.
-- Dialect: SQLite, STRICT tables. Times are ISO-8601 UTC text.

-- One row per set of checks that an audit ran, with their versions: a later audit runs only those
-- checks again whose version is another.
create table audit_suites (
  id integer primary key,
  checks text not null unique check (json_valid(checks)),  -- check name -> version
  created_at text not null
) strict;

-- One row per closed trace that was audited. Reopening a trace removes it, and its flags with it.
create table audits (
  trace_id integer primary key references traces (id),
  suite_id integer not null references audit_suites (id),
  parser_version integer,                -- of the answer that was looked at; null: there was none
  prompts_read integer not null check (prompts_read in (0, 1)), -- 1: the recipe had this photo only
  response_key text,                     -- of all the teacher's words; null where they are few
  created_at text not null
) strict;

-- Traces with the same words are found without reading the words.
create index audits_by_response on audits (response_key) where response_key is not null;

-- One row per trace and check that it did not pass.
create table trace_flags (
  trace_id integer not null references audits (trace_id) on delete cascade,
  flag text not null,                    -- the check's name
  version integer not null,              -- of the check
  detail text not null,                  -- where and what, in a few words
  created_at text not null,
  primary key (trace_id, flag)
) strict, without rowid;

create index trace_flags_by_flag on trace_flags (flag, trace_id);
