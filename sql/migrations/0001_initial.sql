-- The first schema of a store.
-- Dialect: SQLite, STRICT tables. Append-only once released: later changes are files of their own.
-- Times are ISO-8601 UTC text. JSON columns hold canonical JSON (compact, sorted keys).

-- One row per dataset as saved on disk. The fingerprint is the identity, not the path: a dataset
-- that was moved is still the same, and asking for its photos again would be paid twice.
create table datasets (
  id integer primary key,
  fingerprint text not null unique,
  path text not null,                    -- where it was last seen
  name text not null,                    -- short, for trace names
  split text,
  num_rows integer not null check (num_rows >= 0),
  columns text not null check (json_valid(columns)),       -- array of column names
  column_map text not null check (json_valid(column_map)), -- role -> column name
  created_at text not null
) strict;

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
  created_at text not null,
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
  model text not null,
  system_prompt text not null,
  user_prompt text not null,             -- template: {photo_size}
  tools text not null check (json_valid(tools)),           -- array of JSON schemas, [] without tools
  protocol text not null check (protocol in ('text', 'native')),
  bbox_frame text not null check (bbox_frame in ('pixel', 'norm1000', 'norm1000_yx')),
  limits text not null check (json_valid(limits)),         -- image sizes and JPEG quality
  temperature real not null,
  max_tokens integer not null,
  seed integer,
  extra_body text not null check (json_valid(extra_body)),
  max_calls_per_turn integer not null,
  max_nudges integer not null,
  answer_with_calls text not null check (answer_with_calls in ('run_calls', 'final')),
  created_at text not null
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

-- One row per sample x recipe x rollout.
create table traces (
  id integer primary key,
  sample_id integer not null references samples (id),
  recipe_id integer not null references recipes (id),
  rollout integer not null check (rollout >= 1),
  status text not null default 'open' check (status in ('open', 'answered', 'exhausted', 'failed')),
  stop_reason text,                      -- answer, turn_limit, truncated, no_answer, ...
  turn_limit integer,                    -- in force when it stopped
  sent_sha256 text,                      -- the photo as sent: hash of the encoded bytes, and size
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
  turn_limit integer not null,           -- in force when the request was sent
  request_sha256 text not null,          -- of the canonical request, images by their hashes
  prompt_tokens integer,                 -- counts are null where the server did not say
  completion_tokens integer,
  total_tokens integer,
  cached_tokens integer,
  reasoning_tokens integer,
  latency_ms integer,
  served_model text,
  request_id text,
  run_id integer references runs (id),
  created_at text not null,
  -- The long texts stand last: SQLite then reads the counts of a row without its overflow pages.
  reasoning_source text,                 -- where the server put the reasoning
  native_calls text check (native_calls is null or json_valid(native_calls)), -- message.tool_calls
  reasoning text,
  response text not null,                -- content without its reasoning
  primary key (trace_id, turn)
) strict;

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
  flags text not null default '[]' check (json_valid(flags)), -- noop, clamped, repaired
  observation text not null,             -- the sentence the teacher reads
  image_index integer,                   -- number of the new image in the conversation
  image_sha256 text,                     -- of the encoded bytes as sent
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
  usage text check (usage is null or json_valid(usage)),   -- where a useless response was billed
  run_id integer references runs (id),
  created_at text not null,
  primary key (trace_id, attempt)
) strict;

-- One row per trace and parser version: the coordinates in its final response, or why there are none.
create table answers (
  trace_id integer not null references traces (id),
  parser_version integer not null,
  lat real check (lat between -90 and 90),
  lon real check (lon between -180 and 180),
  form text,
  failure text,
  flags text not null default '[]' check (json_valid(flags)),
  created_at text not null,
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

-- One row per trace and spec. Without an answer distance, score and points are null: never 0 km,
-- never 20,000 km. parser_version says which reading of the response it was computed from.
create table rewards (
  trace_id integer not null references traces (id),
  spec_id integer not null references reward_specs (id),
  parser_version integer not null,
  distance_km real,
  score real,
  geoguessr_points integer,
  extra text check (extra is null or json_valid(extra)),
  created_at text not null,
  primary key (trace_id, spec_id)
) strict, without rowid;

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
