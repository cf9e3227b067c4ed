-- The schema of a store: its tables and indexes, and the views that every question may use.
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
  name text not null,                    -- short, for people
  -- What stands with a colon before the names of its traces, so that a name means one trace for ever,
  -- whatever else comes into the store. Null for one dataset, as a rule the first: its names need nothing.
  label text unique,
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
-- so that a later run does not read them again unless it is asked to. A reason is a fact about the
-- photo; what may pass, such as a disk that is not mounted, is never one.
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
  -- The sample of another dataset for which this row stands, because it is the same photo at the same
  -- place and was answered before (generate --reuse): its traces are this row's traces. Null: none.
  same_as integer references samples (id),
  unique (dataset_id, sample_index),
  check (same_as is null or (exclusion is null and same_as <> id)),
  check (exclusion is not null or (image_sha256 is not null and width > 0 and height > 0))
) strict;

-- Is this photo already drawn under another row number?
create index samples_by_image on samples (image_sha256, dataset_id);
-- Excluded rows are found without reading the others.
create index samples_excluded on samples (dataset_id, exclusion, sample_index)
  where exclusion is not null;

-- No two rows of a dataset stand for one sample, or its traces would count twice.
create unique index samples_same_as on samples (same_as, dataset_id) where same_as is not null;

-- One row per recipe: everything that decides what the teacher is asked.
create table recipes (
  id integer primary key,
  -- Of the canonical JSON of the columns below; without reasoning_field where it is auto.
  sha256 text not null unique,
  model text,
  system_prompt text,
  user_prompt text,                      -- template: {photo_size}
  tools text check (tools is null or json_valid(tools)),  -- array of JSON schemas, [] without tools
  protocol text check (protocol in ('text', 'native')),
  bbox_frame text check (bbox_frame in ('pixel', 'norm1000', 'norm1000_yx')),
  limits text check (limits is null or json_valid(limits)),         -- image sizes and JPEG quality
  temperature real,                      -- null: none is sent
  max_tokens integer,
  seed integer,
  extra_body text check (extra_body is null or json_valid(extra_body)),
  max_calls_per_turn integer,
  max_nudges integer,
  answer_with_calls text check (answer_with_calls in ('run_calls', 'final')),
  -- Where reasoning of fields and parts goes back; auto: where it came from.
  reasoning_field text
    check (reasoning_field in ('auto', 'reasoning', 'reasoning_content', 'none')),
  -- What imported trace files say of their recipe, which nobody can prove; null: a run's recipe,
  -- of which every column is known. No run finds an imported row, because its hash is of this.
  imported text check (imported is null or json_valid(imported)),
  -- Whether tools were offered, where imported files do not say which (tools is null): one of its
  -- traces holds a call, or the user said so. Kept, because finding it in the calls would read those
  -- of all traces whenever a view shows one.
  has_calls integer not null default 0 check (has_calls in (0, 1)),
  created_at text not null,
  check (
    imported is not null or (
      model is not null and system_prompt is not null and user_prompt is not null
      and tools is not null and protocol is not null and bbox_frame is not null
      and limits is not null and max_tokens is not null
      and extra_body is not null and max_calls_per_turn is not null and max_nudges is not null
      and answer_with_calls is not null and reasoning_field is not null
    )
  )
) strict;

-- One row per generate process. pid and process_started tell whether the process that holds a claim
-- still lives, so that a killed run's traces can be taken up at once. Where that cannot be seen (the
-- process of another container, host or boot), its claims hold until they expire.
create table runs (
  id integer primary key,
  arguments text not null check (json_valid(arguments)),   -- never a key
  versions text not null check (json_valid(versions)),     -- geostore, pillow, libjpeg, openai, ...
  host text not null,
  pid integer not null,
  process_started text,                  -- <boot>/<pid namespace>/<start of the process>; null: not known
  started_at text not null,
  ended_at text,
  outcome text                           -- done, interrupted, stopped: <why>; null: running or killed
) strict;

-- One row per model, and per service tier that has prices of its own: the prices that a run was last
-- given, so that costs can be told later. A price is no part of a recipe: it changes nothing of what
-- is asked.
create table prices (
  model text not null,                   -- as in recipes
  tier text not null default '',         -- as in turns.service_tier; empty: every tier without a row
  per_million_in real not null check (per_million_in >= 0),   -- prompt tokens, in any one currency
  per_million_out real not null check (per_million_out >= 0), -- completion tokens
  per_million_cached real check (per_million_cached >= 0),    -- cached prompt tokens; null: as in
  per_million_cache_write real check (per_million_cache_write >= 0), -- written to it; null: as in
  created_at text not null,
  updated_at text not null,
  primary key (model, tier)
) strict, without rowid;

-- One row per sample x recipe x rollout.
create table traces (
  -- Never used again: a run that was held up may still write under the id of a trace that is gone.
  id integer primary key autoincrement,
  sample_id integer not null references samples (id),
  recipe_id integer not null references recipes (id),
  rollout integer not null check (rollout >= 1),
  status text not null default 'open' check (status in ('open', 'answered', 'exhausted', 'failed')),
  stop_reason text,                      -- answer, turn_limit, truncated, image_limit, ...
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
  -- The counts are what geostore.costs.usage reads in the column usage: as billed, so reasoning that
  -- a server adds only to its total is part of the completion. Null where the server did not say.
  prompt_tokens integer,
  completion_tokens integer,
  total_tokens integer,
  cached_tokens integer,                 -- parts of the prompt: read from the server's cache,
  cache_write_tokens integer,            -- written to it,
  image_tokens integer,                  -- and images
  reasoning_tokens integer,              -- part of the completion
  service_tier text,                     -- that it was served in, in lower case
  stated_cost real,                      -- what the server says that it charges, in its own currency
  -- Counted here from the size of the request and the response, where the server did not count; a
  -- budget would not hold otherwise. Null where the count above is known.
  estimated_prompt_tokens integer,
  estimated_completion_tokens integer,
  latency_ms integer,
  first_token_ms integer,                -- from sending to the first token; null: it was not streamed
  served_model text,
  request_id text,
  run_id integer references runs (id),   -- null: imported
  created_at text not null,
  -- Where a server takes a request only in another form than the recipe alone gives it, that form,
  -- so that the request can be written again, such as {"images_left_out": "image_limit"} where the
  -- newest images were. Null: the usual form.
  request_form text check (request_form is null or json_valid(request_form)),
  usage text check (usage is null or json_valid(usage)),  -- as the server sent it
  -- The long texts stand last: SQLite then reads the counts of a row without its overflow pages.
  reasoning_source text,                 -- where the server put the reasoning
  native_calls text check (native_calls is null or json_valid(native_calls)), -- message.tool_calls
  -- Members of the message that nothing here reads, such as reasoning_details and signatures; a
  -- server may refuse the conversation without them.
  members text check (members is null or json_valid(members)),
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
-- read for it; a turn's commit pays some microseconds and 60 bytes. A sum is of one service tier, which
-- decides the price, so the tier stands first and nothing has to be sorted.
create index turns_by_run on turns (
  run_id, service_tier, trace_id, prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens,
  total_tokens, estimated_prompt_tokens, estimated_completion_tokens, created_at
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

-- One row per request that failed, and per small request without a photo (class probe) that was sent
-- to see whether the teacher is there, and was answered: it belongs to no turn, and was billed.
create table attempts (
  trace_id integer not null references traces (id),
  attempt integer not null check (attempt >= 1),
  turn integer not null,
  error_class text not null,             -- rate_limit, server, timeout, connection, bad_response, ...
  message text not null,                 -- cut to a readable length
  http_status integer,
  usage text check (usage is null or json_valid(usage)),  -- where a useless response was billed
  -- As in turns, read in usage; all null where nothing was billed.
  prompt_tokens integer,
  completion_tokens integer,
  total_tokens integer,
  cached_tokens integer,
  cache_write_tokens integer,
  service_tier text,
  stated_cost real,
  estimated_prompt_tokens integer,
  estimated_completion_tokens integer,
  run_id integer references runs (id),
  created_at text not null,
  response text,                         -- of a reply that the server broke off, or to a probe
  primary key (trace_id, attempt)
) strict;

-- One row per trace and parser version: the coordinates in its final response, or why there are none;
-- and the place and the confidence that the teacher states in words, also where it gives no coordinates.
create table answers (
  trace_id integer not null references traces (id),
  parser_version integer not null,
  lat real check (lat between -90 and 90),   -- the guess, degrees
  lon real check (lon between -180 and 180),
  form text,                             -- how it was written: boxed, answer, ...; null: not known
  failure text,
  flags text not null default '[]' check (json_valid(flags)),
  said_country text,                     -- the teacher's words, as written; null: none
  said_region text,
  said_city text,
  confidence real check (confidence between 0 and 1), -- as stated, normalised; null: not stated
  confidence_form text,                  -- how it was written: percent, 1-5, ...
  primary key (trace_id, parser_version),
  check ((failure is null) = (lat is not null and lon is not null)),
  check ((confidence is null) = (confidence_form is null))
) strict, without rowid;

-- One row per turn before a trace's last one that holds coordinates, and parser version: where the
-- teacher would have answered, had it stopped there. They are read together with the final response.
create table interim_answers (
  trace_id integer not null,
  turn integer not null,
  parser_version integer not null,
  lat real not null check (lat between -90 and 90),   -- degrees
  lon real not null check (lon between -180 and 180),
  form text not null,                    -- as in answers
  flags text not null default '[]' check (json_valid(flags)),
  primary key (trace_id, turn, parser_version),
  foreign key (trace_id, turn) references turns (trace_id, turn),
  foreign key (trace_id, parser_version) references answers (trace_id, parser_version)
    on delete cascade
) strict, without rowid;

-- One row per sample and version of the gazetteer (geostore/places): the place of its true coordinates.
-- All is null for a point so far out at sea that it belongs to no country.
create table sample_places (
  sample_id integer not null references samples (id),
  gazetteer_version integer not null,
  country text,                          -- ISO 3166-1 alpha-2
  region text,                           -- GeoNames' first level with its country, such as US.CA
  city text,                             -- name of the nearest GeoNames place of the country
  city_id integer,                       -- its GeoNames id
  city_km real,                          -- great circle to it
  coast_km real,                         -- of a point at sea, to the country's coast; null: on land
  stated_country text,                   -- that the dataset's own words name; null: none that is known
  primary key (sample_id, gazetteer_version)
) strict, without rowid;

-- One row per answer and version of the gazetteer: the place of its coordinates by the same function,
-- null without coordinates; and what the answer's own words name.
create table answer_places (
  trace_id integer not null,
  parser_version integer not null,
  gazetteer_version integer not null,
  country text,                          -- as in sample_places, like the next five
  region text,
  city text,
  city_id integer,
  city_km real,
  coast_km real,
  said_country text,                     -- ISO code that the words name; null: none that is known
  -- Whether the words name the true place's country, region and city; null where the answer names
  -- none, or the true place has none.
  said_true_country integer check (said_true_country in (0, 1)),
  said_true_region integer check (said_true_region in (0, 1)),
  said_true_city integer check (said_true_city in (0, 1)),
  primary key (trace_id, parser_version, gazetteer_version),
  foreign key (trace_id, parser_version) references answers (trace_id, parser_version)
    on delete cascade
) strict, without rowid;

-- One row per reward definition. Exactly one is the store's default.
create table reward_specs (
  id integer primary key autoincrement,  -- never used again: a rescore may still write by it
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
-- score and points are null: never 0 km, never 20,000 km. A reward may give it a score all the same; a
-- trace file's own such score stands beside 0 points, and one without a distance beside none was parsed.
create table rewards (
  spec_id integer not null references reward_specs (id),
  trace_id integer not null references traces (id),
  parser_version integer not null,       -- which reading it was computed from; 0: a trace file's own
  distance_km real,
  score real,
  geoguessr_points integer,
  extra text check (extra is null or json_valid(extra)),  -- of a custom reward; error: why no score
  primary key (spec_id, trace_id)
) strict, without rowid;

-- One row per closed trace: what trace_results shows of it, gathered from samples, turns, tool_calls,
-- attempts, answers, rewards and places, so that a question about a million traces reads one narrow
-- table. Nothing stands here that does not follow from those rows: the view trace_facts_now says how,
-- each transaction that changes one of them writes the row again, and verify compares the two. Costs
-- are no column, because they follow from the small table prices.
create table trace_facts (
  trace_id integer primary key references traces (id),
  sample_id integer not null,
  sample_index integer not null,
  dataset_id integer not null,
  recipe_id integer not null,
  rollout integer not null,
  status text not null check (status <> 'open'),
  stop_reason text,
  lat real not null,
  lon real not null,
  locatability_score real,
  country text,
  turns integer not null,
  tool_calls integer not null,
  failed_tool_calls integer not null,
  prompt_tokens integer,                 -- sums over the turns; null where the server never said
  completion_tokens integer,
  total_tokens integer,
  cached_tokens integer,
  cache_write_tokens integer,
  estimated_tokens integer not null,
  uncounted_turns integer not null,
  -- What a cost is made of: tokens of turns and of billed failures in the service tier of the first
  -- turn; cached and cache_write are parts of the prompt. And the same of other tiers, where a trace was
  -- served in several: an array of [tier, prompt, cached, cache_write, completion].
  service_tier text,
  billed_prompt integer not null,
  billed_cached integer not null,
  billed_cache_write integer not null,
  billed_completion integer not null,
  other_tiers text check (other_tiers is null or json_valid(other_tiers)),
  stated_cost real,
  -- The newest reading of the final response; null where there is none.
  parser_version integer,
  answer_lat real,
  answer_lon real,
  answer_form text,
  answer_failure text,
  flags text,
  said_region text,
  said_city text,
  confidence real,
  confidence_form text,
  -- The reward of the store's default spec, where it is of that reading, or a file's own (version 0).
  reward_version integer,
  distance_km real,
  score real,
  geoguessr_points integer,
  -- Places by the newest gazetteer that placed both the sample and the answer; where none did, the
  -- answer's by the newest, beside no truth.
  true_gazetteer integer,                -- the newest that placed the sample; null: none did yet
  true_country text,
  true_region text,
  true_city text,
  stated_country text,
  answer_gazetteer integer,              -- null: the reading was not placed yet
  answer_country text,
  answer_region text,
  answer_city text,
  country_correct integer,
  region_correct integer,
  city_correct integer,
  country_correct_or_0 integer,
  region_correct_or_0 integer,
  city_correct_or_0 integer,
  said_country text,
  said_true_country integer,
  said_true_region integer,
  said_true_city integer
) strict;

-- Those served in several tiers are found without reading the others.
create index trace_facts_in_tiers on trace_facts (trace_id) where other_tiers is not null;

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

-- One row per trace that was imported from a file. A file with the same stamp need not be read again;
-- one with the same hash is the same, wherever it lies.
create table imports (
  id integer primary key,
  path text not null unique,             -- absolute; <path>:<line> or <path>[<n>] in a file of several
  -- Of the file's bytes, or of the line's or the object's; of a row of training data with ':' and the
  -- name of its trace, because two traces may have the same row.
  sha256 text not null,
  stamp text not null,                   -- size and times of the file when read; of a line, size and hash
  variant text not null check (variant in ('geostore', 'history', 'log')), -- form of the file
  stated_index integer not null,         -- the file's sample_index; its sample may be another row
  trace_id integer not null references traces (id),
  created_at text not null
) strict;

create index imports_by_content on imports (sha256);
create index imports_by_trace on imports (trace_id);

-- One row per imported recipe whose traces' images were made again: how their boxes are read, which
-- the files do not say. Each call's row has its box in pixels.
create table box_frames (
  recipe_id integer primary key references recipes (id),
  -- The frame of the numbers: those of recipes, pixels at full resolution, or fractions from 0 to 1.
  bbox_frame text not null
    check (bbox_frame in ('norm1000', 'pixel', 'full_pixel', 'relative', 'norm1000_yx')),
  known_by text not null check (known_by in ('given', 'images', 'numbers')), -- numbers prove nothing
  boxes integer not null,                -- that were looked at
  fitting integer not null,              -- of boxes, those that the frame explains
  others text not null check (json_valid(others)),         -- the same count of each other frame
  edges text not null check (edges in ('nearest', 'down', 'outward')), -- how edges were rounded
  sources text not null check (sources in ('table', 'photo', 'last')), -- what a call without img_idx means
  cut_from text not null check (cut_from in ('full', 'sent')), -- the photo that zooms were cut from
  created_at text not null
) strict;

-- One row per image of an imported trace whose images were made again: what could be proven of it.
create table image_proofs (
  trace_id integer not null references traces (id),
  image_index integer not null check (image_index >= 0),   -- its number in the conversation; 0: photo
  turn integer not null check (turn >= 0),                 -- whose call gave it; 0: photo
  -- exact: the pixels of the image in the file; near: it shows the same; unseen: the file holds none;
  -- not: it is another image, or could not be made.
  proof text not null check (proof in ('exact', 'near', 'unseen', 'not')),
  -- Of the file's image, by which the turn's messages name it; or its path or address in the file.
  file_sha256 text,
  difference real,                       -- mean, of a colour value from the file's: 0..255
  why text,                              -- of proof not, in words
  making text check (making is null or json_valid(making)), -- filter, JPEG quality and so on
  bbox_frame text,                       -- in which the trace's boxes were read; null: as its export says
  primary key (trace_id, image_index),
  check ((proof = 'not') = (why is not null) and (proof = 'not') = (making is null))
) strict, without rowid;

-- One row per export that was written.
create table exports (
  id integer primary key,
  format text not null,
  options text not null check (json_valid(options)),       -- filter and layout
  trace_count integer not null,
  sha256 text not null,                  -- of the files, in order
  path text not null,
  -- Hash of all that decides what is in the export: the mark below, options, program, manifest. Null:
  -- the store changed while it was written.
  made_from text,
  created_at text not null
) strict;

-- At most one row: a random text that stands for what exports read, as it is now. An export puts it here
-- before it reads, and the first change of a row that exports read takes it away: a store that still
-- has the mark of an export has not changed since, and no state of a store has the mark of another.
create table export_mark (mark text primary key) strict;

create trigger datasets_insert_mark after insert on datasets
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger datasets_update_mark after update on datasets
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger datasets_delete_mark after delete on datasets
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger samples_insert_mark after insert on samples
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger samples_update_mark after update on samples
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger samples_delete_mark after delete on samples
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger recipes_insert_mark after insert on recipes
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger recipes_update_mark after update on recipes
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger recipes_delete_mark after delete on recipes
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger prices_insert_mark after insert on prices
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger prices_update_mark after update on prices
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger prices_delete_mark after delete on prices
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger traces_insert_mark after insert on traces
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger traces_update_mark after update on traces
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger traces_delete_mark after delete on traces
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger turns_insert_mark after insert on turns
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger turns_update_mark after update on turns
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger turns_delete_mark after delete on turns
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger tool_calls_insert_mark after insert on tool_calls
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger tool_calls_update_mark after update on tool_calls
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger tool_calls_delete_mark after delete on tool_calls
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger attempts_insert_mark after insert on attempts
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger attempts_update_mark after update on attempts
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger attempts_delete_mark after delete on attempts
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger answers_insert_mark after insert on answers
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger answers_update_mark after update on answers
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger answers_delete_mark after delete on answers
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger interim_answers_insert_mark after insert on interim_answers
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger interim_answers_update_mark after update on interim_answers
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger interim_answers_delete_mark after delete on interim_answers
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger sample_places_insert_mark after insert on sample_places
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger sample_places_update_mark after update on sample_places
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger sample_places_delete_mark after delete on sample_places
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger answer_places_insert_mark after insert on answer_places
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger answer_places_update_mark after update on answer_places
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger answer_places_delete_mark after delete on answer_places
  when exists (select 1 from export_mark) begin delete from export_mark; end;
-- Beside the key's cascade, which needs a program that heeds foreign keys: after a deletion by hand
-- without them, a place would stand beside the next reading of that version.
create trigger answers_delete_places after delete on answers
begin
  delete from answer_places where trace_id = old.trace_id and parser_version = old.parser_version;
end;
create trigger reward_specs_insert_mark after insert on reward_specs
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger reward_specs_update_mark after update on reward_specs
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger reward_specs_delete_mark after delete on reward_specs
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger rewards_insert_mark after insert on rewards
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger rewards_update_mark after update on rewards
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger rewards_delete_mark after delete on rewards
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger audits_insert_mark after insert on audits
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger audits_update_mark after update on audits
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger audits_delete_mark after delete on audits
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger trace_flags_insert_mark after insert on trace_flags
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger trace_flags_update_mark after update on trace_flags
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger trace_flags_delete_mark after delete on trace_flags
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger image_proofs_insert_mark after insert on image_proofs
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger image_proofs_update_mark after update on image_proofs
  when exists (select 1 from export_mark) begin delete from export_mark; end;
create trigger image_proofs_delete_mark after delete on image_proofs
  when exists (select 1 from export_mark) begin delete from export_mark; end;

-- --- views ---------------------------------------------------------------------------------------
--
-- For sqlite3, Datasette, pandas and whatever else opens the file: the same names, columns and rows as
-- those of geostore query (sql/analytics/views.sql). DuckDB parses a view when it lists the file's, so
-- nothing stands here that it cannot. Every count is a subquery of its own: one trace is looked up in
-- no time, and a column that nobody asks for costs nothing. Units: km, degrees, tokens, milliseconds;
-- shares from 0 to 1; costs in the currency of the table prices. True is 1, false is 0.

-- One row per trace: its name, its sample and its recipe.
create view trace_names as
select
  t.id as trace_id,
  coalesce(d.label || ':', '') || s.sample_index || '-' || substr(r.sha256, 1, 8) || '-' || t.rollout
    as trace,
  d.name as dataset,
  s.id as sample_id,
  s.sample_index,
  s.lat,
  s.lon,
  s.locatability_score,
  s.country,
  substr(r.sha256, 1, 8) as recipe,
  r.model,
  coalesce(r.tools <> '[]', r.has_calls = 1) as with_tools,
  t.rollout,
  t.status,
  t.stop_reason
from traces as t
join samples as s on s.id = t.sample_id
join datasets as d on d.id = s.dataset_id
join recipes as r on r.id = t.recipe_id;

-- One row per response of the teacher: its tokens as a cost counts them. A count that is not known is
-- 0, and uncounted is then 1; cached and cache_write are parts of prompt. estimated_tokens are beside
-- the others, and in no cost. cost is at the prices of the service tier, or else of the model; null
-- where neither has any.
create view billed_turns as
select
  b.trace_id,
  b.turn,
  b.run_id,
  b.service_tier,
  b.prompt_tokens,
  b.cached_tokens,
  b.cache_write_tokens,
  b.completion_tokens,
  b.total_tokens,
  b.estimated_tokens,
  b.uncounted,
  b.stated_cost,
  (
    (b.prompt_tokens - b.cached_tokens - b.cache_write_tokens) * p.per_million_in
    + b.cached_tokens * coalesce(p.per_million_cached, p.per_million_in)
    + b.cache_write_tokens * coalesce(p.per_million_cache_write, p.per_million_in)
    + b.completion_tokens * p.per_million_out
  ) / 1e6 as cost
from (
  select
    trace_id,
    turn,
    run_id,
    service_tier,
    coalesce(prompt_tokens, 0) as prompt_tokens,
    case when coalesce(cached_tokens, 0) < coalesce(prompt_tokens, 0)
      then coalesce(cached_tokens, 0) else coalesce(prompt_tokens, 0) end as cached_tokens,
    case when coalesce(cached_tokens, 0) >= coalesce(prompt_tokens, 0) then 0
      when coalesce(cached_tokens, 0) + coalesce(cache_write_tokens, 0) < prompt_tokens
        then coalesce(cache_write_tokens, 0)
      else prompt_tokens - coalesce(cached_tokens, 0) end as cache_write_tokens,
    coalesce(completion_tokens, 0) as completion_tokens,
    coalesce(total_tokens, coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0))
      as total_tokens,
    case when total_tokens is null
      then coalesce(estimated_prompt_tokens, 0) + coalesce(estimated_completion_tokens, 0)
      else 0 end as estimated_tokens,
    prompt_tokens is null or completion_tokens is null as uncounted,
    stated_cost
  from turns
) as b
join traces as t on t.id = b.trace_id
join recipes as r on r.id = t.recipe_id
left join prices as o on o.model = r.model and o.tier = b.service_tier
left join prices as p on p.model = r.model and p.tier = coalesce(o.tier, '');

-- One row per failed request that was billed; the columns are those of billed_turns.
create view billed_failures as
select
  b.trace_id,
  b.turn,
  b.attempt,
  b.run_id,
  b.service_tier,
  b.prompt_tokens,
  b.cached_tokens,
  b.cache_write_tokens,
  b.completion_tokens,
  b.total_tokens,
  b.estimated_tokens,
  b.uncounted,
  b.stated_cost,
  (
    (b.prompt_tokens - b.cached_tokens - b.cache_write_tokens) * p.per_million_in
    + b.cached_tokens * coalesce(p.per_million_cached, p.per_million_in)
    + b.cache_write_tokens * coalesce(p.per_million_cache_write, p.per_million_in)
    + b.completion_tokens * p.per_million_out
  ) / 1e6 as cost
from (
  select
    trace_id,
    turn,
    attempt,
    run_id,
    service_tier,
    coalesce(prompt_tokens, 0) as prompt_tokens,
    case when coalesce(cached_tokens, 0) < coalesce(prompt_tokens, 0)
      then coalesce(cached_tokens, 0) else coalesce(prompt_tokens, 0) end as cached_tokens,
    case when coalesce(cached_tokens, 0) >= coalesce(prompt_tokens, 0) then 0
      when coalesce(cached_tokens, 0) + coalesce(cache_write_tokens, 0) < prompt_tokens
        then coalesce(cache_write_tokens, 0)
      else prompt_tokens - coalesce(cached_tokens, 0) end as cache_write_tokens,
    coalesce(completion_tokens, 0) as completion_tokens,
    coalesce(total_tokens, coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0))
      as total_tokens,
    case when total_tokens is null
      then coalesce(estimated_prompt_tokens, 0) + coalesce(estimated_completion_tokens, 0)
      else 0 end as estimated_tokens,
    prompt_tokens is null or completion_tokens is null as uncounted,
    stated_cost
  from attempts
  where usage is not null or estimated_completion_tokens is not null
) as b
join traces as t on t.id = b.trace_id
join recipes as r on r.id = t.recipe_id
left join prices as o on o.model = r.model and o.tier = b.service_tier
left join prices as p on p.model = r.model and p.tier = coalesce(o.tier, '');

-- What trace_facts says of a trace, for any trace, from the rows of which it follows: the definition of
-- that table. One lookup takes some microseconds; the table is there because a million take a minute.
create view trace_facts_now as
select
  t.id as trace_id,
  t.sample_id,
  s.sample_index,
  s.dataset_id,
  t.recipe_id,
  t.rollout,
  t.status,
  t.stop_reason,
  s.lat,
  s.lon,
  s.locatability_score,
  s.country,
  (select count(*) from turns as k where k.trace_id = t.id) as turns,
  (select count(*) from tool_calls as c where c.trace_id = t.id) as tool_calls,
  (select count(*) from tool_calls as c where c.trace_id = t.id and c.success = 0)
    as failed_tool_calls,
  (select sum(k.prompt_tokens) from turns as k where k.trace_id = t.id) as prompt_tokens,
  (select sum(k.completion_tokens) from turns as k where k.trace_id = t.id) as completion_tokens,
  (select sum(k.total_tokens) from turns as k where k.trace_id = t.id) as total_tokens,
  (select sum(k.cached_tokens) from turns as k where k.trace_id = t.id) as cached_tokens,
  (select sum(k.cache_write_tokens) from turns as k where k.trace_id = t.id) as cache_write_tokens,
  (
    select coalesce(
      sum(coalesce(k.estimated_prompt_tokens, 0) + coalesce(k.estimated_completion_tokens, 0)), 0
    )
    from turns as k
    where k.trace_id = t.id and k.total_tokens is null
  ) as estimated_tokens,
  (
    select count(*)
    from turns as k
    where k.trace_id = t.id and (k.prompt_tokens is null or k.completion_tokens is null)
  ) as uncounted_turns,
  f.service_tier,
  (
    select coalesce(sum(k.prompt_tokens), 0)
    from turns as k
    where k.trace_id = t.id and coalesce(k.service_tier, '') = coalesce(f.service_tier, '')
  )
  + (
    select coalesce(sum(b.prompt_tokens), 0)
    from attempts as b
    where b.trace_id = t.id and coalesce(b.service_tier, '') = coalesce(f.service_tier, '')
      and (b.usage is not null or b.estimated_completion_tokens is not null)
  ) as billed_prompt,
  (
    select coalesce(
      sum(
        case when coalesce(k.cached_tokens, 0) < coalesce(k.prompt_tokens, 0)
        then coalesce(k.cached_tokens, 0) else coalesce(k.prompt_tokens, 0) end
      ), 0
    )
    from turns as k
    where k.trace_id = t.id and coalesce(k.service_tier, '') = coalesce(f.service_tier, '')
  )
  + (
    select coalesce(
      sum(
        case when coalesce(b.cached_tokens, 0) < coalesce(b.prompt_tokens, 0)
        then coalesce(b.cached_tokens, 0) else coalesce(b.prompt_tokens, 0) end
      ), 0
    )
    from attempts as b
    where b.trace_id = t.id and coalesce(b.service_tier, '') = coalesce(f.service_tier, '')
      and (b.usage is not null or b.estimated_completion_tokens is not null)
  ) as billed_cached,
  (
    select coalesce(
      sum(
        case when coalesce(k.cached_tokens, 0) >= coalesce(k.prompt_tokens, 0) then 0
        when coalesce(k.cached_tokens, 0) + coalesce(k.cache_write_tokens, 0) < k.prompt_tokens
          then coalesce(k.cache_write_tokens, 0)
        else k.prompt_tokens - coalesce(k.cached_tokens, 0) end
      ), 0
    )
    from turns as k
    where k.trace_id = t.id and coalesce(k.service_tier, '') = coalesce(f.service_tier, '')
  )
  + (
    select coalesce(
      sum(
        case when coalesce(b.cached_tokens, 0) >= coalesce(b.prompt_tokens, 0) then 0
        when coalesce(b.cached_tokens, 0) + coalesce(b.cache_write_tokens, 0) < b.prompt_tokens
          then coalesce(b.cache_write_tokens, 0)
        else b.prompt_tokens - coalesce(b.cached_tokens, 0) end
      ), 0
    )
    from attempts as b
    where b.trace_id = t.id and coalesce(b.service_tier, '') = coalesce(f.service_tier, '')
      and (b.usage is not null or b.estimated_completion_tokens is not null)
  ) as billed_cache_write,
  (
    select coalesce(sum(k.completion_tokens), 0)
    from turns as k
    where k.trace_id = t.id and coalesce(k.service_tier, '') = coalesce(f.service_tier, '')
  )
  + (
    select coalesce(sum(b.completion_tokens), 0)
    from attempts as b
    where b.trace_id = t.id and coalesce(b.service_tier, '') = coalesce(f.service_tier, '')
      and (b.usage is not null or b.estimated_completion_tokens is not null)
  ) as billed_completion,
  (
    select nullif(
      json_group_array(json_array(i.tier, i.prompt, i.cached, i.cache_write, i.completion)), '[]'
    )
    from (
      select
        b.tier,
        sum(b.prompt) as prompt,
        sum(b.cached) as cached,
        sum(b.cache_write) as cache_write,
        sum(b.completion) as completion
      from (
        select
          coalesce(k.service_tier, '') as tier,
          coalesce(k.prompt_tokens, 0) as prompt,
          case when coalesce(k.cached_tokens, 0) < coalesce(k.prompt_tokens, 0)
        then coalesce(k.cached_tokens, 0) else coalesce(k.prompt_tokens, 0) end as cached,
          case when coalesce(k.cached_tokens, 0) >= coalesce(k.prompt_tokens, 0) then 0
        when coalesce(k.cached_tokens, 0) + coalesce(k.cache_write_tokens, 0) < k.prompt_tokens
          then coalesce(k.cache_write_tokens, 0)
        else k.prompt_tokens - coalesce(k.cached_tokens, 0) end as cache_write,
          coalesce(k.completion_tokens, 0) as completion
        from turns as k
        where k.trace_id = t.id and coalesce(k.service_tier, '') <> coalesce(f.service_tier, '')
        union all
        select
          coalesce(a.service_tier, '') as tier,
          coalesce(a.prompt_tokens, 0) as prompt,
          case when coalesce(a.cached_tokens, 0) < coalesce(a.prompt_tokens, 0)
        then coalesce(a.cached_tokens, 0) else coalesce(a.prompt_tokens, 0) end as cached,
          case when coalesce(a.cached_tokens, 0) >= coalesce(a.prompt_tokens, 0) then 0
        when coalesce(a.cached_tokens, 0) + coalesce(a.cache_write_tokens, 0) < a.prompt_tokens
          then coalesce(a.cache_write_tokens, 0)
        else a.prompt_tokens - coalesce(a.cached_tokens, 0) end as cache_write,
          coalesce(a.completion_tokens, 0) as completion
        from attempts as a
        where a.trace_id = t.id and coalesce(a.service_tier, '') <> coalesce(f.service_tier, '')
          and (a.usage is not null or a.estimated_completion_tokens is not null)
      ) as b
      group by b.tier
      order by b.tier
    ) as i
  ) as other_tiers,
  (
    select sum(b.stated_cost)
    from (
      select k.stated_cost from turns as k where k.trace_id = t.id
      union all
      select a.stated_cost from attempts as a where a.trace_id = t.id
    ) as b
  ) as stated_cost,
  a.parser_version,
  a.lat as answer_lat,
  a.lon as answer_lon,
  a.form as answer_form,
  a.failure as answer_failure,
  a.flags,
  a.said_region,
  a.said_city,
  a.confidence,
  a.confidence_form,
  w.parser_version as reward_version,
  w.distance_km,
  w.score,
  w.geoguessr_points,
  o.gazetteer_version as true_gazetteer,
  case when p.trace_id is null then o.country else b.country end as true_country,
  case when p.trace_id is null then o.region else b.region end as true_region,
  case when p.trace_id is null then o.city else b.city end as true_city,
  case when b.sample_id is null then o.stated_country else b.stated_country end as stated_country,
  p.gazetteer_version as answer_gazetteer,
  p.country as answer_country,
  p.region as answer_region,
  p.city as answer_city,
  case when a.lat is not null and b.country is not null then coalesce(p.country = b.country, 0) end
    as country_correct,
  case when a.lat is not null and b.region is not null then coalesce(p.region = b.region, 0) end
    as region_correct,
  case when a.lat is not null and b.city_id is not null then coalesce(p.city_id = b.city_id, 0) end
    as city_correct,
  case
    when t.status = 'open' then null
    when a.lat is null then case when o.country is not null then 0 end
    when b.country is not null then coalesce(p.country = b.country, 0)
  end as country_correct_or_0,
  case
    when t.status = 'open' then null
    when a.lat is null then case when o.region is not null then 0 end
    when b.region is not null then coalesce(p.region = b.region, 0)
  end as region_correct_or_0,
  case
    when t.status = 'open' then null
    when a.lat is null then case when o.city_id is not null then 0 end
    when b.city_id is not null then coalesce(p.city_id = b.city_id, 0)
  end as city_correct_or_0,
  p.said_country,
  p.said_true_country,
  p.said_true_region,
  p.said_true_city
from traces as t
join samples as s on s.id = t.sample_id
left join turns as f on f.trace_id = t.id and f.turn = 1
left join answers as a
  on a.trace_id = t.id
  and a.parser_version = (select max(n.parser_version) from answers as n where n.trace_id = t.id)
left join rewards as w
  on w.spec_id = (select d.id from reward_specs as d where d.is_default = 1)
  and w.trace_id = t.id
  -- Version 0 is the reward of a trace file: of no reading of ours, and beside every one.
  and w.parser_version in (0, a.parser_version)
left join sample_places as o
  on o.sample_id = t.sample_id
  and o.gazetteer_version = (
    select max(n.gazetteer_version) from sample_places as n where n.sample_id = t.sample_id
  )
left join answer_places as p
  on p.trace_id = t.id
  and p.parser_version = a.parser_version
  -- A newer gazetteer's rescore may have come to one place and not yet to the other.
  and p.gazetteer_version = coalesce(
    (
      select max(n.gazetteer_version)
      from answer_places as n
      join sample_places as m
        on m.sample_id = t.sample_id and m.gazetteer_version = n.gazetteer_version
      where n.trace_id = t.id and n.parser_version = a.parser_version
    ),
    (
      select max(n.gazetteer_version)
      from answer_places as n
      where n.trace_id = t.id and n.parser_version = a.parser_version
    )
  )
left join sample_places as b
  on b.sample_id = t.sample_id and b.gazetteer_version = p.gazetteer_version;

-- One row per trace, with its sample, its recipe, its cost and its result: the newest reading of its
-- final response and the reward of the store's default spec. docs/queries.md says what each column is.
create view trace_results as
select
  t.trace_id,
  t.trace,
  t.dataset,
  t.sample_id,
  t.sample_index,
  t.lat,
  t.lon,
  t.locatability_score,
  t.country,
  t.recipe,
  t.model,
  t.with_tools,
  t.rollout,
  t.status,
  t.stop_reason,
  (select count(*) from turns as k where k.trace_id = t.trace_id) as turns,
  (select count(*) from tool_calls as c where c.trace_id = t.trace_id) as tool_calls,
  (select count(*) from tool_calls as c where c.trace_id = t.trace_id and c.success = 0)
    as failed_tool_calls,
  (select sum(k.prompt_tokens) from turns as k where k.trace_id = t.trace_id) as prompt_tokens,
  (select sum(k.completion_tokens) from turns as k where k.trace_id = t.trace_id)
    as completion_tokens,
  (select sum(k.total_tokens) from turns as k where k.trace_id = t.trace_id) as total_tokens,
  (select sum(k.cached_tokens) from turns as k where k.trace_id = t.trace_id) as cached_tokens,
  (select sum(k.cache_write_tokens) from turns as k where k.trace_id = t.trace_id)
    as cache_write_tokens,
  (select coalesce(sum(b.estimated_tokens), 0) from billed_turns as b where b.trace_id = t.trace_id)
    as estimated_tokens,
  (select count(*) from billed_turns as b where b.trace_id = t.trace_id and b.uncounted = 1)
    as uncounted_turns,
  case when p.model is not null then
    (select coalesce(sum(b.cost), 0) from billed_turns as b where b.trace_id = t.trace_id)
    + (select coalesce(sum(b.cost), 0) from billed_failures as b where b.trace_id = t.trace_id)
  end as cost,
  (
    select sum(b.stated_cost)
    from (
      select k.stated_cost from turns as k where k.trace_id = t.trace_id
      union all
      select f.stated_cost from attempts as f where f.trace_id = t.trace_id
    ) as b
  ) as stated_cost,
  (
    select count(*)
    from turns as k
    where k.trace_id = t.trace_id
      and (p.model is null or k.prompt_tokens is null or k.completion_tokens is null)
  ) as unpriced_turns,
  a.lat as answer_lat,
  a.lon as answer_lon,
  a.failure as answer_failure,
  a.flags,
  case when a.trace_id is not null then a.failure is null end as parse_success,
  case when a.trace_id is not null
    then coalesce(a.failure is null and a.form in ('boxed', 'answer'), 0) end as format_valid,
  (select 1 - sum(c.success = 0) * 1.0 / count(*) from tool_calls as c where c.trace_id = t.trace_id)
    as tool_validity,
  w.distance_km,
  w.score,
  w.geoguessr_points,
  case
    when t.status = 'open' then null
    when w.parser_version = 0
      then w.distance_km is null and (w.score is null or coalesce(w.geoguessr_points, 1) = 0)
    else a.lat is null
  end as failure,
  case
    when t.status = 'open' then null
    when w.parser_version = 0 and not (
      w.distance_km is null and (w.score is null or coalesce(w.geoguessr_points, 1) = 0)
    ) then w.distance_km
    when w.parser_version = 0 or a.lat is null then 20000.0
    else w.distance_km
  end as distance_km_or_20000,
  case
    when t.status = 'open' then null
    when w.parser_version = 0 and not (
      w.distance_km is null and (w.score is null or coalesce(w.geoguessr_points, 1) = 0)
    ) then w.score
    when w.parser_version = 0 or a.lat is null then coalesce(w.score, 0.0)
    else w.score
  end as score_or_0,
  case when t.status <> 'open' then (
    select k.response
    from turns as k
    where k.trace_id = t.trace_id
    order by k.turn desc
    limit 1
  ) end as final_response,
  a.said_region,
  a.said_city,
  a.confidence,
  a.confidence_form,
  (
    select n.said_country
    from (
      select
        p.said_country,
        p.gazetteer_version,
        exists (
          select 1
          from sample_places as s
          where s.sample_id = t.sample_id and s.gazetteer_version = p.gazetteer_version
        ) as is_beside_truth
      from answer_places as p
      where p.trace_id = a.trace_id and p.parser_version = a.parser_version
    ) as n
    order by n.is_beside_truth desc, n.gazetteer_version desc
    limit 1
  ) as said_country,
  (
    select n.stated_country
    from (
      select
        s.stated_country,
        s.gazetteer_version,
        exists (
          select 1
          from answer_places as p
          where p.trace_id = a.trace_id
            and p.parser_version = a.parser_version
            and p.gazetteer_version = s.gazetteer_version
        ) as is_beside_answer
      from sample_places as s
      where s.sample_id = t.sample_id
    ) as n
    order by n.is_beside_answer desc, n.gazetteer_version desc
    limit 1
  ) as stated_country,
  case
    when exists (
      select 1
      from answer_places as p
      where p.trace_id = a.trace_id and p.parser_version = a.parser_version
    ) then (
      select s.country
      from answer_places as p
      cross join sample_places as s
      where p.trace_id = a.trace_id
        and p.parser_version = a.parser_version
        and s.sample_id = t.sample_id
        and s.gazetteer_version = p.gazetteer_version
      order by p.gazetteer_version desc
      limit 1
    )
    else (
      select s.country
      from sample_places as s
      where s.sample_id = t.sample_id
      order by s.gazetteer_version desc
      limit 1
    )
  end as true_country,
  case
    when exists (
      select 1
      from answer_places as p
      where p.trace_id = a.trace_id and p.parser_version = a.parser_version
    ) then (
      select s.region
      from answer_places as p
      cross join sample_places as s
      where p.trace_id = a.trace_id
        and p.parser_version = a.parser_version
        and s.sample_id = t.sample_id
        and s.gazetteer_version = p.gazetteer_version
      order by p.gazetteer_version desc
      limit 1
    )
    else (
      select s.region
      from sample_places as s
      where s.sample_id = t.sample_id
      order by s.gazetteer_version desc
      limit 1
    )
  end as true_region,
  case
    when exists (
      select 1
      from answer_places as p
      where p.trace_id = a.trace_id and p.parser_version = a.parser_version
    ) then (
      select s.city
      from answer_places as p
      cross join sample_places as s
      where p.trace_id = a.trace_id
        and p.parser_version = a.parser_version
        and s.sample_id = t.sample_id
        and s.gazetteer_version = p.gazetteer_version
      order by p.gazetteer_version desc
      limit 1
    )
    else (
      select s.city
      from sample_places as s
      where s.sample_id = t.sample_id
      order by s.gazetteer_version desc
      limit 1
    )
  end as true_city,
  (
    select n.country
    from (
      select
        p.country,
        p.gazetteer_version,
        exists (
          select 1
          from sample_places as s
          where s.sample_id = t.sample_id and s.gazetteer_version = p.gazetteer_version
        ) as is_beside_truth
      from answer_places as p
      where p.trace_id = a.trace_id and p.parser_version = a.parser_version
    ) as n
    order by n.is_beside_truth desc, n.gazetteer_version desc
    limit 1
  ) as answer_country,
  (
    select n.region
    from (
      select
        p.region,
        p.gazetteer_version,
        exists (
          select 1
          from sample_places as s
          where s.sample_id = t.sample_id and s.gazetteer_version = p.gazetteer_version
        ) as is_beside_truth
      from answer_places as p
      where p.trace_id = a.trace_id and p.parser_version = a.parser_version
    ) as n
    order by n.is_beside_truth desc, n.gazetteer_version desc
    limit 1
  ) as answer_region,
  (
    select n.city
    from (
      select
        p.city,
        p.gazetteer_version,
        exists (
          select 1
          from sample_places as s
          where s.sample_id = t.sample_id and s.gazetteer_version = p.gazetteer_version
        ) as is_beside_truth
      from answer_places as p
      where p.trace_id = a.trace_id and p.parser_version = a.parser_version
    ) as n
    order by n.is_beside_truth desc, n.gazetteer_version desc
    limit 1
  ) as answer_city,
  (
    select case when a.lat is not null and s.country is not null then coalesce(p.country = s.country, 0) end
    from answer_places as p
    cross join sample_places as s
    where p.trace_id = a.trace_id
      and p.parser_version = a.parser_version
      and s.sample_id = t.sample_id
      and s.gazetteer_version = p.gazetteer_version
    order by p.gazetteer_version desc
    limit 1
  ) as country_correct,
  (
    select case when a.lat is not null and s.region is not null then coalesce(p.region = s.region, 0) end
    from answer_places as p
    cross join sample_places as s
    where p.trace_id = a.trace_id
      and p.parser_version = a.parser_version
      and s.sample_id = t.sample_id
      and s.gazetteer_version = p.gazetteer_version
    order by p.gazetteer_version desc
    limit 1
  ) as region_correct,
  (
    select case when a.lat is not null and s.city_id is not null then coalesce(p.city_id = s.city_id, 0) end
    from answer_places as p
    cross join sample_places as s
    where p.trace_id = a.trace_id
      and p.parser_version = a.parser_version
      and s.sample_id = t.sample_id
      and s.gazetteer_version = p.gazetteer_version
    order by p.gazetteer_version desc
    limit 1
  ) as city_correct,
  case
    when t.status = 'open' then null
    when a.lat is null then (
      select case when s.country is not null then 0 end
      from sample_places as s
      where s.sample_id = t.sample_id
      order by s.gazetteer_version desc
      limit 1
    )
    else (
      select case when s.country is not null then coalesce(p.country = s.country, 0) end
      from answer_places as p
      cross join sample_places as s
      where p.trace_id = a.trace_id
        and p.parser_version = a.parser_version
        and s.sample_id = t.sample_id
        and s.gazetteer_version = p.gazetteer_version
      order by p.gazetteer_version desc
      limit 1
    )
  end as country_correct_or_0,
  case
    when t.status = 'open' then null
    when a.lat is null then (
      select case when s.region is not null then 0 end
      from sample_places as s
      where s.sample_id = t.sample_id
      order by s.gazetteer_version desc
      limit 1
    )
    else (
      select case when s.region is not null then coalesce(p.region = s.region, 0) end
      from answer_places as p
      cross join sample_places as s
      where p.trace_id = a.trace_id
        and p.parser_version = a.parser_version
        and s.sample_id = t.sample_id
        and s.gazetteer_version = p.gazetteer_version
      order by p.gazetteer_version desc
      limit 1
    )
  end as region_correct_or_0,
  case
    when t.status = 'open' then null
    when a.lat is null then (
      select case when s.city_id is not null then 0 end
      from sample_places as s
      where s.sample_id = t.sample_id
      order by s.gazetteer_version desc
      limit 1
    )
    else (
      select case when s.city_id is not null then coalesce(p.city_id = s.city_id, 0) end
      from answer_places as p
      cross join sample_places as s
      where p.trace_id = a.trace_id
        and p.parser_version = a.parser_version
        and s.sample_id = t.sample_id
        and s.gazetteer_version = p.gazetteer_version
      order by p.gazetteer_version desc
      limit 1
    )
  end as city_correct_or_0,
  (
    select n.said_true_country
    from (
      select
        p.said_true_country,
        p.gazetteer_version,
        exists (
          select 1
          from sample_places as s
          where s.sample_id = t.sample_id and s.gazetteer_version = p.gazetteer_version
        ) as is_beside_truth
      from answer_places as p
      where p.trace_id = a.trace_id and p.parser_version = a.parser_version
    ) as n
    order by n.is_beside_truth desc, n.gazetteer_version desc
    limit 1
  ) as said_true_country,
  (
    select n.said_true_region
    from (
      select
        p.said_true_region,
        p.gazetteer_version,
        exists (
          select 1
          from sample_places as s
          where s.sample_id = t.sample_id and s.gazetteer_version = p.gazetteer_version
        ) as is_beside_truth
      from answer_places as p
      where p.trace_id = a.trace_id and p.parser_version = a.parser_version
    ) as n
    order by n.is_beside_truth desc, n.gazetteer_version desc
    limit 1
  ) as said_true_region,
  (
    select n.said_true_city
    from (
      select
        p.said_true_city,
        p.gazetteer_version,
        exists (
          select 1
          from sample_places as s
          where s.sample_id = t.sample_id and s.gazetteer_version = p.gazetteer_version
        ) as is_beside_truth
      from answer_places as p
      where p.trace_id = a.trace_id and p.parser_version = a.parser_version
    ) as n
    order by n.is_beside_truth desc, n.gazetteer_version desc
    limit 1
  ) as said_true_city
from trace_names as t
left join answers as a
  on a.trace_id = t.trace_id
  and a.parser_version = (select max(n.parser_version) from answers as n where n.trace_id = t.trace_id)
left join rewards as w
  on w.spec_id = (select d.id from reward_specs as d where d.is_default = 1)
  and w.trace_id = t.trace_id
  -- Version 0 is the reward of a trace file: of no reading of ours, and beside every one.
  and w.parser_version in (0, a.parser_version)
left join prices as p on p.model = t.model and p.tier = '';

-- One row per teacher response (turn), also those of traces that are still open.
create view turn_results as
select
  t.trace,
  k.trace_id,
  t.recipe,
  t.model,
  k.turn,
  k.turn_limit,
  k.finish_reason,
  k.prompt_tokens,
  k.cached_tokens,
  k.cache_write_tokens,
  k.image_tokens,
  k.completion_tokens,
  k.reasoning_tokens,
  k.total_tokens,
  b.estimated_tokens,
  k.service_tier,
  b.cost,
  b.cost is null or b.uncounted as unpriced,
  k.stated_cost,
  k.latency_ms,
  k.first_token_ms,
  (select count(*) from tool_calls as c where c.trace_id = k.trace_id and c.turn = k.turn)
    as tool_calls,
  (
    select count(*)
    from tool_calls as c
    where c.trace_id = k.trace_id and c.turn = k.turn and c.success = 0
  ) as failed_tool_calls,
  k.served_model,
  k.run_id,
  k.created_at,
  k.response,
  k.reasoning
from turns as k
join trace_names as t on t.trace_id = k.trace_id
join billed_turns as b on b.trace_id = k.trace_id and b.turn = k.turn;

-- One row per tool call.
create view tool_results as
select
  t.trace,
  c.trace_id,
  t.recipe,
  t.model,
  c.turn,
  c.call_index,
  c.name as tool,
  c.success,
  c.error_kind,
  c.flags,
  c.raw_arguments,
  c.arguments,
  c.source_index,
  c.box_left,
  c.box_top,
  c.box_right,
  c.box_bottom,
  c.angle,
  c.image_index,
  c.image_width,
  c.image_height,
  c.observation,
  c.created_at
from tool_calls as c
join trace_names as t on t.trace_id = c.trace_id;

-- One row per tool call that names a box of an image that there is: the four numbers as the teacher
-- wrote them, and which other frames would explain them (its call's flags looks_like:FRAME).
create view boxes as
select
  w.trace_id,
  w.turn,
  w.call_index,
  r.id as recipe_id,
  r.bbox_frame,
  w.success,
  cast(json_extract(w.box, '$[0]') as real) as a,
  cast(json_extract(w.box, '$[1]') as real) as b,
  cast(json_extract(w.box, '$[2]') as real) as c,
  cast(json_extract(w.box, '$[3]') as real) as d,
  coalesce(i.image_width, t.sent_width) as width,
  coalesce(i.image_height, t.sent_height) as height,
  instr(w.flags, '"looks_like:') > 0 as odd,
  instr(w.flags, '"looks_like:pixel"') > 0 as as_pixel,
  instr(w.flags, '"looks_like:norm1000"') > 0 as as_norm1000,
  instr(w.flags, '"looks_like:relative"') > 0 as as_relative,
  instr(w.flags, '"looks_like:pixel_yx"') > 0 as as_pixel_yx,
  instr(w.flags, '"looks_like:full_pixel"') > 0 as as_full_pixel
from (
  select
    trace_id, turn, call_index, source_index, success, flags,
    -- Refused arguments need not be JSON, which json_extract would not bear.
    case when json_valid(coalesce(arguments, raw_arguments))
        and json_type(coalesce(arguments, raw_arguments), '$.bbox_2d') = 'array'
      then json_extract(coalesce(arguments, raw_arguments), '$.bbox_2d') end as box
  from tool_calls
  where source_index is not null
    and instr(coalesce(arguments, raw_arguments), '"bbox_2d"') > 0
) as w
join traces as t on t.id = w.trace_id
join recipes as r on r.id = t.recipe_id
-- Image 0 is the photo, and no call gave it.
left join tool_calls as i on i.trace_id = w.trace_id and i.image_index = w.source_index
where json_array_length(w.box) = 4
  and json_type(w.box, '$[0]') in ('integer', 'real')
  and json_type(w.box, '$[1]') in ('integer', 'real')
  and json_type(w.box, '$[2]') in ('integer', 'real')
  and json_type(w.box, '$[3]') in ('integer', 'real');
