-- The schema of a store: its tables and indexes.
-- Dialect: SQLite, STRICT tables. Never edited once it is released: a later change is a file of its
-- own with the next number.
-- Times are ISO-8601 UTC text. JSON columns hold canonical JSON (compact, sorted keys). Hashes are
-- hex: twice the bytes of a blob, but anyone can read, compare and search them in any tool.
-- A row has a time of its own only where no other row's says when: samples, answers and rewards come
-- with their trace, and the latter two can be computed again at any moment.

-- One row per dataset. The fingerprint of the saved files is the identity, not the path: a dataset
-- that was moved is still the same, and asking for its photos again would be paid twice. It is null
-- for a dataset that imported traces name by its path and that was never opened here.
create table datasets (
  id integer primary key,
  fingerprint text unique,
  path text not null,                    -- where it was last seen
  name text not null,                    -- short, for trace names
  split text,
  num_rows integer check (num_rows >= 0),
  columns text check (columns is null or json_valid(columns)),       -- array of column names
  column_map text check (column_map is null or json_valid(column_map)), -- role -> column name
  created_at text not null,
  -- A dataset that was opened is known whole.
  check (
    fingerprint is null
    or (num_rows is not null and columns is not null and column_map is not null)
  )
) strict;

-- Without a fingerprint the path is all there is to know a dataset by.
create unique index datasets_unseen on datasets (path) where fingerprint is null;

-- One row per dataset row that was drawn. Rows that cannot be used are kept with the reason,
-- so that a later run does not read them again.
create table samples (
  id integer primary key,
  dataset_id integer not null references datasets (id),
  sample_index integer not null check (sample_index >= 0), -- row number as saved on disk
  lat real not null check (lat between -90 and 90),
  lon real not null check (lon between -180 and 180),
  locatability_score real,               -- 0 hard .. 1 easy; null: not known
  country text,
  columns text not null check (json_valid(columns)),       -- the other scalar columns
  image_sha256 text,                     -- of the stored bytes
  image_format text,
  width integer,                         -- full resolution, orientation applied
  height integer,
  exclusion text,                        -- null: usable; else why not (duplicate, undecodable, ...)
  unique (dataset_id, sample_index),
  check (exclusion is not null or (image_sha256 is not null and width > 0 and height > 0))
) strict;

-- Is this photo already drawn under another row number?
create index samples_by_image on samples (image_sha256, dataset_id);
-- Excluded rows are found without reading the others.
create index samples_excluded on samples (dataset_id, exclusion, sample_index)
  where exclusion is not null;

-- One row per recipe: everything that decides what the teacher is asked.
create table recipes (
  id integer primary key,
  sha256 text not null unique,           -- of the canonical JSON of the columns below
  model text,
  system_prompt text,
  user_prompt text,                      -- template: {photo_size}
  tools text check (tools is null or json_valid(tools)),  -- array of JSON schemas, [] without tools
  protocol text check (protocol in ('text', 'native')),
  bbox_frame text check (bbox_frame in ('pixel', 'norm1000', 'norm1000_yx')),
  limits text check (limits is null or json_valid(limits)),         -- image sizes and JPEG quality
  temperature real,
  max_tokens integer,
  seed integer,
  extra_body text check (extra_body is null or json_valid(extra_body)),
  max_calls_per_turn integer,
  max_nudges integer,
  answer_with_calls text check (answer_with_calls in ('run_calls', 'final')),
  -- What imported trace files say of their recipe, which nobody can prove; null: a run's recipe,
  -- of which every column is known. No run finds an imported row, because its hash is of this.
  imported text check (imported is null or json_valid(imported)),
  created_at text not null,
  check (
    imported is not null or (
      model is not null and system_prompt is not null and user_prompt is not null
      and tools is not null and protocol is not null and bbox_frame is not null
      and limits is not null and temperature is not null and max_tokens is not null
      and extra_body is not null and max_calls_per_turn is not null and max_nudges is not null
      and answer_with_calls is not null
    )
  )
) strict;

-- One row per generate process. host, pid and process_started tell whether the process that
-- holds a claim still lives, so that a killed run's traces can be taken up at once.
create table runs (
  id integer primary key,
  arguments text not null check (json_valid(arguments)),   -- never a key
  versions text not null check (json_valid(versions)),     -- geostore, pillow, libjpeg, openai, ...
  host text not null,
  pid integer not null,
  process_started text,                  -- the system's start mark of that pid; null: not known
  started_at text not null,
  ended_at text,
  outcome text                           -- done, interrupted, stopped: <why>; null: running or killed
) strict;

-- One row per model: the prices that a run was last given for it, so that costs can be told later.
-- A price is no part of a recipe: it changes nothing of what is asked.
create table prices (
  model text not null primary key,       -- as in recipes
  per_million_in real not null check (per_million_in >= 0),   -- prompt tokens, in any one currency
  per_million_out real not null check (per_million_out >= 0), -- completion tokens
  per_million_cached real check (per_million_cached >= 0),    -- cached prompt tokens; null: as in
  created_at text not null,
  updated_at text not null
) strict, without rowid;

-- One row per sample x recipe x rollout.
create table traces (
  id integer primary key,
  sample_id integer not null references samples (id),
  recipe_id integer not null references recipes (id),
  rollout integer not null check (rollout >= 1),
  status text not null default 'open' check (status in ('open', 'answered', 'exhausted', 'failed')),
  stop_reason text,                      -- answer, turn_limit, truncated, no_answer, ...
  turn_limit integer,                    -- in force when it stopped
  sent_sha256 text,                      -- the photo as sent: hash of the encoded bytes
  -- XXH3, 128 bits, of "RGB <width>x<height>\n" and the pixels that were given to the encoder, row by
  -- row, three bytes each (geostore.imaging.hash_pixels). With it verify can tell another JPEG encoder
  -- from other pixels. Null for a photo that was sent as its file stands, which no encoder touched.
  sent_pixels_xxh128 text,
  sent_width integer,
  sent_height integer,
  claimed_by integer references runs (id),
  claim_expires_at text,
  created_at text not null,
  closed_at text,
  unique (sample_id, recipe_id, rollout),
  check ((status = 'open') = (closed_at is null)),
  check (status = 'open' or claimed_by is null)
) strict;

create index traces_by_recipe on traces (recipe_id, status);
-- Claims are few at any time; a partial index keeps releasing them independent of the store's size.
create index traces_claimed on traces (claimed_by) where claimed_by is not null;

-- One row per teacher response; inserted before anything is done with it.
create table turns (
  trace_id integer not null references traces (id),
  turn integer not null check (turn >= 1),
  finish_reason text,
  turn_limit integer,                    -- in force when the request was sent
  request_sha256 text,                   -- of the canonical request, images by their hashes
  prompt_tokens integer,                 -- counts are null where the server did not say
  completion_tokens integer,
  total_tokens integer,
  cached_tokens integer,
  reasoning_tokens integer,
  latency_ms integer,
  served_model text,
  request_id text,
  run_id integer references runs (id),   -- null: imported
  created_at text not null,
  -- The long texts stand last: SQLite then reads the counts of a row without its overflow pages.
  reasoning_source text,                 -- where the server put the reasoning
  native_calls text check (native_calls is null or json_valid(native_calls)), -- message.tool_calls
  reasoning text,
  response text not null,                -- content without its reasoning
  -- What was sent for an imported turn, as its file says it: a JSON array of messages, images by
  -- their hashes, "system" for the recipe's system message, "assistant" for the turn before. Null:
  -- it follows from rows; or, in a trace of an imported recipe, nobody knows.
  messages text check (messages is null or json_valid(messages)),
  primary key (trace_id, turn),
  -- Files do not say all that a request says; what a run wrote must be whole.
  check (run_id is null or (turn_limit is not null and request_sha256 is not null))
) strict;

-- A run with a budget adds up all turns of its model when it starts, and a status those of a run.
-- Everything they read stands in this index, so that the long texts of three million turns are not
-- read for it; a turn's commit pays some microseconds and 50 bytes.
create index turns_by_run on turns (
  run_id, trace_id, prompt_tokens, completion_tokens, cached_tokens, total_tokens, created_at
);

-- One row per tool call inside a turn; the image it gave is described, never stored.
create table tool_calls (
  trace_id integer not null,
  turn integer not null,
  call_index integer not null check (call_index >= 0),
  name text not null,
  raw_arguments text not null,           -- as the teacher wrote them
  arguments text check (arguments is null or json_valid(arguments)),
  source_index integer,                  -- which image of the conversation, 0 is the photo
  box_left integer, box_top integer, box_right integer, box_bottom integer, -- cut, source pixels
  angle real,                            -- degrees, counter-clockwise
  success integer not null check (success in (0, 1)),
  error_kind text,
  flags text not null default '[]' check (json_valid(flags)), -- clamped, noop, repaired, looks_like:FRAME
  observation text,                      -- the sentence the teacher reads; null: imported, not said
  image_index integer,                   -- number of the new image in the conversation
  image_sha256 text,                     -- of the encoded bytes as sent
  image_pixels_xxh128 text,              -- of the pixels given to the encoder, as in traces
  image_width integer, image_height integer, -- as sent
  full_width integer, full_height integer,   -- before it was resized to be sent
  created_at text not null,
  primary key (trace_id, turn, call_index),
  foreign key (trace_id, turn) references turns (trace_id, turn),
  check ((success = 1) = (error_kind is null))
) strict;

-- One row per request that failed.
create table attempts (
  trace_id integer not null references traces (id),
  attempt integer not null check (attempt >= 1),
  turn integer not null,
  error_class text not null,             -- rate_limit, server, timeout, connection, bad_response, ...
  message text not null,                 -- cut to a readable length
  http_status integer,
  usage text check (usage is null or json_valid(usage)),  -- where a useless response was billed
  run_id integer references runs (id),
  created_at text not null,
  primary key (trace_id, attempt)
) strict;

-- One row per trace and parser version: the coordinates in its final response, or why there are none.
create table answers (
  trace_id integer not null references traces (id),
  parser_version integer not null,
  lat real check (lat between -90 and 90),   -- the guess, degrees
  lon real check (lon between -180 and 180),
  form text,                             -- how it was written: boxed, answer, ...; null: not known
  failure text,
  flags text not null default '[]' check (json_valid(flags)),
  primary key (trace_id, parser_version),
  check ((failure is null) = (lat is not null and lon is not null))
) strict, without rowid;

-- One row per reward definition. Exactly one is the store's default.
create table reward_specs (
  id integer primary key,
  sha256 text not null unique,
  name text not null,
  kind text not null,                    -- which formula
  parameters text not null check (json_valid(parameters)),
  code_version integer not null,
  is_default integer not null default 0 check (is_default in (0, 1)),
  created_at text not null
) strict;

create unique index reward_specs_default on reward_specs (is_default) where is_default = 1;

-- One row per trace and spec, in the order of the specs: what one spec has lies together, so that a
-- rescore appends, and counting and comparing read that part alone. Without an answer distance,
-- score and points are null: never 0 km, never 20,000 km.
create table rewards (
  spec_id integer not null references reward_specs (id),
  trace_id integer not null references traces (id),
  parser_version integer not null,       -- which reading it was computed from
  distance_km real,
  score real,
  geoguessr_points integer,
  extra text check (extra is null or json_valid(extra)),  -- of a custom reward; error: why no score
  primary key (spec_id, trace_id)
) strict, without rowid;

-- One row per set of checks that an audit ran, with their versions: a later audit runs only those
-- checks again whose version is another.
create table audit_suites (
  id integer primary key,
  checks text not null unique check (json_valid(checks)),  -- check name -> version
  created_at text not null
) strict;

-- One row per closed trace that was audited, so that queries and exports can leave out what would
-- spoil training. Reopening a trace removes it, and its flags with it.
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

-- One row per export that was written.
create table exports (
  id integer primary key,
  format text not null,
  options text not null check (json_valid(options)),       -- filter and layout
  trace_count integer not null,
  sha256 text not null,                  -- of the files, in order
  path text not null,
  created_at text not null
) strict;
