-- What a rescore needs to find the few missing rewards of a large store without reading it all.
-- Dialect: SQLite, STRICT tables. Times are ISO-8601 UTC text.

-- A log of what happened to traces since, in the order of commits: one row per event after which a
-- trace may lack a reading or a reward (it ended, was read, or a derived row of it was removed).
-- Triggers write it, so that no writer can forget to.
create table trace_log (
  id integer primary key autoincrement,
  trace_id integer not null references traces (id)
) strict;

-- How far the log is dealt with: one row per parser version and per reward spec that was once
-- complete. Every trace that may lack a row since then has an entry after log_id.
create table settled (
  kind text not null check (kind in ('answers', 'rewards')),
  version integer not null,              -- of the parser, or the id of the reward spec
  log_id integer not null,
  primary key (kind, version)
) strict, without rowid;

create trigger trace_log_ended after update of status on traces
when new.status in ('answered', 'exhausted')
begin
  insert into trace_log (trace_id) values (new.id);
end;

create trigger trace_log_inserted after insert on traces
when new.status in ('answered', 'exhausted')
begin
  insert into trace_log (trace_id) values (new.id);
end;

create trigger trace_log_read after insert on answers
begin
  insert into trace_log (trace_id) values (new.trace_id);
end;

create trigger trace_log_unread after delete on answers
begin
  insert into trace_log (trace_id) values (old.trace_id);
end;

-- The same rows in the order of their specs: what one spec has lies together, so that a rescore
-- appends, and counting, comparing and the anti-join read that part alone.
create table rewards_by_spec (
  spec_id integer not null references reward_specs (id),
  trace_id integer not null references traces (id),
  parser_version integer not null,       -- which reading it was computed from
  distance_km real,
  score real,
  geoguessr_points integer,
  extra text check (extra is null or json_valid(extra)),   -- of a custom reward; error: why no score
  created_at text not null,
  primary key (spec_id, trace_id)
) strict, without rowid;

insert into rewards_by_spec (
  spec_id, trace_id, parser_version, distance_km, score, geoguessr_points, extra, created_at
)
select
  spec_id, trace_id, parser_version, distance_km, score, geoguessr_points, extra, created_at
from rewards
order by spec_id, trace_id;

drop table rewards;

alter table rewards_by_spec rename to rewards;

create trigger trace_log_unrewarded after delete on rewards
begin
  insert into trace_log (trace_id) values (old.trace_id);
end;
