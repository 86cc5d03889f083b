-- The log proper (docs/decisions/0024, docs/AUDIT.md). audit.event stays as it is: where events
-- come in, in the transaction of what they record, at no more cost than before. From there a
-- sequencer takes them after their commit, gives each its place in the log of its tenant, and the
-- log grows as a Merkle tree (RFC 9162 section 2.1). The previous release goes on writing events;
-- whoever sequences finds them.
--
-- An entry's line is made here, by a function, and hashed here: whoever may call it can have events
-- moved, and can't say what they are.

grant usage on schema seal, audit to lanyard_sequencer;
grant execute on function
  seal.context(), seal.check(text), seal.tenant(), seal.account(), seal.subject(), seal.class(),
  seal.claimed(), seal.person(), seal.job(), seal.job_for(uuid), seal.platform_tenant(),
  seal.is_clean()
  to lanyard_sequencer;
alter table audit.event_type drop constraint event_type_plane_check;
alter table audit.event_type add constraint event_type_plane_check
  check (plane in ('identity', 'tenant', 'platform', 'apps', 'sequencer'));
grant execute on function audit.append(uuid, text, timestamptz, jsonb, bytea) to lanyard_sequencer;

-- Emptied all the time: what is dead in it is cleared early, so that its scans stay short.
alter table audit.event
  set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- One row a log: how long it is, how much of it is under a signed checkpoint, and how much of that
-- is known outside of the database. Locked by the sequencer alone, never where events are written.
create table audit.log (
  tenant_id uuid primary key,
  size bigint not null default 0 check (size >= 0),
  signed_size bigint not null default 0,
  anchored_size bigint not null default 0,
  opened_at timestamptz not null default clock_timestamp(),
  constraint log_grows_in_order check (
    0 <= anchored_size and anchored_size <= signed_size and signed_size <= size
  )
);
create index log_unsigned on audit.log (tenant_id) where size > signed_size;
create index log_unanchored on audit.log (tenant_id) where signed_size > anchored_size;
-- The platform's log is always there: its row is also the one that says who sequences.
insert into audit.log (tenant_id) values (seal.platform_tenant());

create table audit.entry (
  tenant_id uuid not null,
  leaf_index bigint not null check (leaf_index >= 0),
  event_id uuid not null,
  recorded_at timestamptz not null,
  type text not null,
  account_id uuid, -- null: nobody's, or not known yet
  subject_id uuid, -- null: outside of a tenant
  actor_id uuid,   -- null: she acts for herself
  trace text,      -- null: the event belongs to no request that was traced
  line text not null check (position(chr(10) in line) = 0),
  leaf_hash bytea not null check (octet_length(leaf_hash) = 32),
  primary key (tenant_id, leaf_index, recorded_at)
) partition by range (recorded_at);
create index entry_by_type on audit.entry (tenant_id, type, leaf_index);
create index entry_by_account on audit.entry (tenant_id, account_id, leaf_index)
  where account_id is not null;
create index entry_by_subject on audit.entry (tenant_id, subject_id, leaf_index)
  where subject_id is not null;
create index entry_by_actor on audit.entry (tenant_id, actor_id, leaf_index)
  where actor_id is not null;
create index entry_by_trace on audit.entry (tenant_id, trace, leaf_index)
  where trace is not null;
-- Whatever has no month of its own: no event is refused for want of a partition.
create table audit.entry_default partition of audit.entry default;

-- What remains when a month has been archived and dropped: proofs of it can still be made.
create table audit.leaf (
  tenant_id uuid not null,
  leaf_index bigint not null,
  leaf_hash bytea not null,
  primary key (tenant_id, leaf_index)
);
-- The hash of each complete subtree of 256, 256 squared, … leaves: level 1, 2, …
create table audit.node (
  tenant_id uuid not null,
  level smallint not null,
  node_index bigint not null,
  hash bytea not null check (octet_length(hash) = 32),
  primary key (tenant_id, level, node_index)
);

-- Details that may have to be erased: their place in a line holds a salted digest.
create table audit.erasable_detail (
  name text primary key
);
insert into audit.erasable_detail (name) values ('login_digest');
-- What such a digest is of. Deleting a row erases the value, and the log still verifies.
create table audit.disclosure (
  tenant_id uuid not null,
  leaf_index bigint not null,
  name text not null,
  salt bytea not null check (octet_length(salt) = 32),
  value text not null,
  account_id uuid, -- null: nobody is known to whom it belongs
  primary key (tenant_id, leaf_index, name)
);
create index disclosure_by_account on audit.disclosure (account_id) where account_id is not null;

-- The keys that sign checkpoints. One signs; the public halves of all stay.
create table audit.log_key (
  key_id text primary key check (key_id ~ '^[0-9a-f]{8}$'),
  name text not null,
  public_key bytea not null check (octet_length(public_key) = 32),
  private_sealed bytea, -- null: it signs no more
  current_since timestamptz not null,
  retired_at timestamptz,
  constraint log_key_is_erased_when_retired
    check ((private_sealed is null) = (retired_at is not null))
);
create unique index log_key_one_current on audit.log_key ((true)) where retired_at is null;

create table audit.checkpoint (
  tenant_id uuid not null,
  size bigint not null check (size > 0),
  root bytea not null check (octet_length(root) = 32),
  note text not null,
  key_id text not null,
  made_at timestamptz not null,
  anchored_at timestamptz, -- null: not yet outside of the database, or a later one is
  primary key (tenant_id, size)
);

-- What keeps a clinic's entries from being dropped, whatever their age.
create table audit.hold (
  tenant_id uuid not null,
  hold_id uuid not null,
  placed_at timestamptz not null,
  lifted_at timestamptz, -- null: it holds
  primary key (tenant_id, hold_id)
);
-- Which entries of a log stand in a file that was verified against the log's own hashes.
create table audit.archive (
  tenant_id uuid not null,
  from_index bigint not null,
  to_index bigint not null,
  file_digest bytea not null check (octet_length(file_digest) = 32),
  verified_at timestamptz not null,
  primary key (tenant_id, from_index),
  constraint archive_holds_something check (from_index < to_index)
);

do $$
declare t text;
begin
  foreach t in array array['log', 'entry', 'entry_default', 'leaf', 'node', 'erasable_detail',
    'disclosure', 'log_key', 'checkpoint', 'hold', 'archive'] loop
    execute format('alter table audit.%I enable row level security', t);
    execute format('alter table audit.%I force row level security', t);
  end loop;
end $$;

-- Whether a function of the log's is at work. Each asks the seal for the job that it is for, once,
-- and says so: asked for every row, the seal would cost more than the rows. Anybody can say it; but
-- these policies are the owner's, who has nothing but functions.
create function seal.is_at_the_log() returns boolean language sql stable
  return current_setting('lanyard.at_the_log', true) = 'on';
revoke execute on function seal.is_at_the_log() from public;

create policy sequenced on audit.event for select to lanyard_owner using (seal.is_at_the_log());
create policy sequenced_away on audit.event for delete to lanyard_owner
  using (seal.is_at_the_log());
create policy catalog on audit.erasable_detail for all to lanyard_owner
  using (true) with check (true);
do $$
declare t text;
begin
  foreach t in array array['log', 'entry', 'leaf', 'node', 'disclosure', 'log_key', 'checkpoint',
    'hold', 'archive'] loop
    execute format('create policy at_work on audit.%I for all to lanyard_owner '
      'using (seal.is_at_the_log()) with check (seal.is_at_the_log())', t);
  end loop;
end $$;
-- What a serving role calls asks this first.
create function audit.begin(job text) returns void language plpgsql
set search_path = pg_catalog, pg_temp as $$
begin
  if seal.job() is distinct from job then
    raise exception 'the log is kept by a job' using errcode = '42501';
  end if;
  perform set_config('lanyard.at_the_log', 'on', true);
end $$;

-- Reading: the auditors of a clinic theirs, the operator's command line any.
create policy audited on audit.log for select to lanyard_tenant
  using (tenant_id = seal.tenant() and seal.class() = 'auditor');
create policy audited on audit.entry for select to lanyard_tenant
  using (tenant_id = seal.tenant() and seal.class() = 'auditor');
create policy audited on audit.leaf for select to lanyard_tenant
  using (tenant_id = seal.tenant() and seal.class() = 'auditor');
create policy audited on audit.node for select to lanyard_tenant
  using (tenant_id = seal.tenant() and seal.class() = 'auditor');
create policy audited on audit.disclosure for select to lanyard_tenant
  using (tenant_id = seal.tenant() and seal.class() = 'auditor');
create policy audited on audit.checkpoint for select to lanyard_tenant
  using (tenant_id = seal.tenant() and seal.class() = 'auditor');
create policy read_by_job on audit.log for select to lanyard_platform
  using (seal.job_for(tenant_id) = 'read_log');
create policy read_by_job on audit.entry for select to lanyard_platform
  using (seal.job_for(tenant_id) = 'read_log');
create policy read_by_job on audit.leaf for select to lanyard_platform
  using (seal.job_for(tenant_id) = 'read_log');
create policy read_by_job on audit.node for select to lanyard_platform
  using (seal.job_for(tenant_id) = 'read_log');
create policy read_by_job on audit.disclosure for select to lanyard_platform
  using (seal.job_for(tenant_id) = 'read_log');
create policy read_by_job on audit.checkpoint for select to lanyard_platform
  using (seal.job_for(tenant_id) = 'read_log');
grant select on audit.log, audit.entry, audit.leaf, audit.node, audit.disclosure, audit.checkpoint
  to lanyard_tenant, lanyard_platform;
create policy kept_by_job on audit.hold for all to lanyard_platform
  using (seal.job_for(tenant_id) = 'keep_log')
  with check (seal.job_for(tenant_id) = 'keep_log');
grant select, insert, update (lifted_at) on audit.hold to lanyard_platform;

-- The keys: public halves for everybody who publishes or writes them down; private ones for the
-- sequencer, which signs with them.
create policy signs on audit.log_key for all to lanyard_sequencer
  using (seal.job() = 'sequence_log') with check (seal.job() = 'sequence_log');
grant select, insert, update (private_sealed, retired_at) on audit.log_key to lanyard_sequencer;
create policy published on audit.log_key for select to lanyard_identity
  using (seal.job() = 'key_ring');
grant select (key_id, name, public_key, current_since, retired_at) on audit.log_key
  to lanyard_identity;

-- Hashing (RFC 9162 section 2.1.1). A level of a tree is made of the one below by pairs; who has
-- no partner goes up as it is.
create function audit.fold(hashes bytea[]) returns bytea language plpgsql immutable
set search_path = pg_catalog, pg_temp as $$
declare level bytea[] := hashes;
begin
  while cardinality(level) > 1 loop
    level := array(
      select case when p.r is null then p.l else sha256('\x01'::bytea || p.l || p.r) end
      from (
        select level[2 * i - 1] as l, level[2 * i] as r, i
        from generate_series(1, (cardinality(level) + 1) / 2) i
      ) p
      order by p.i
    );
  end loop;
  return level[1];
end $$;

-- `count` hashes of a level: 0 for the leaves, n for subtrees of 256 to the n.
create function audit.hashes(log uuid, of_level integer, first bigint, count bigint) returns bytea[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if of_level = 0 then
    return array(
      select l.leaf_hash from audit.leaf l
      where l.tenant_id = log and l.leaf_index >= first and l.leaf_index < first + count
      order by l.leaf_index
    );
  end if;
  return array(
    select n.hash from audit.node n
    where n.tenant_id = log and n.level = of_level
      and n.node_index >= first and n.node_index < first + count
    order by n.node_index
  );
end $$;

-- The hash of the leaves from `start` to before `stop`: MTH(D[start:stop]) of RFC 9162. `start` is
-- a multiple of a power of two that is no less than their number, as in every proof.
create function audit.subtree(log uuid, start bigint, stop bigint) returns bytea
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  level integer := 0;
  first bigint := start;
  last bigint := stop;
  rest bytea; -- of what does not fill a subtree at the right edge
  hashes bytea[];
begin
  if stop = 0 then
    return sha256('');
  end if;
  loop
    if last - first < 256 then
      hashes := audit.hashes(log, level, first, last - first);
      if cardinality(hashes) <> last - first then
        raise exception 'a log lacks hashes' using errcode = 'XX001';
      end if;
      return audit.fold(case when rest is null then hashes else hashes || rest end);
    end if;
    if last % 256 > 0 or rest is not null then
      hashes := audit.hashes(log, level, last / 256 * 256, last % 256);
      rest := audit.fold(case when rest is null then hashes else hashes || rest end);
    end if;
    first := first / 256;
    last := last / 256;
    level := level + 1;
  end loop;
end $$;

-- The largest power of two that is less than `count`, which is 2 at least.
create function audit.split(count bigint) returns bigint language plpgsql immutable
set search_path = pg_catalog, pg_temp as $$
declare half bigint := 1;
begin
  while half * 2 < count loop
    half := half * 2;
  end loop;
  return half;
end $$;

-- RFC 9162 section 2.1.3.1; null: there is no such leaf in a tree of that size.
create function audit.inclusion_proof(log uuid, leaf bigint, size bigint) returns bytea[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  first bigint := 0;
  last bigint := size;
  half bigint;
  proof bytea[] := '{}';
begin
  if leaf < 0 or leaf >= size
    or size > (select l.size from audit.log l where l.tenant_id = log) is not false then
    return null;
  end if;
  while last - first > 1 loop
    half := first + audit.split(last - first);
    if leaf < half then
      proof := audit.subtree(log, half, last) || proof;
      last := half;
    else
      proof := audit.subtree(log, first, half) || proof;
      first := half;
    end if;
  end loop;
  return proof;
end $$;

-- RFC 9162 section 2.1.4.1; null: there are no two trees of these sizes, the first the smaller.
create function audit.consistency_proof(log uuid, from_size bigint, to_size bigint) returns bytea[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  first bigint := 0;
  last bigint := to_size;
  half bigint;
  is_whole boolean := true; -- the old tree is a subtree that the verifier knows
  proof bytea[] := '{}';
begin
  if from_size <= 0 or from_size > to_size
    or to_size > (select l.size from audit.log l where l.tenant_id = log) is not false then
    return null;
  end if;
  while from_size < last loop
    half := first + audit.split(last - first);
    if from_size <= half then
      proof := audit.subtree(log, half, last) || proof;
      last := half;
    else
      proof := audit.subtree(log, first, half) || proof;
      first := half;
      is_whole := false;
    end if;
  end loop;
  return case when is_whole then proof else audit.subtree(log, first, last) || proof end;
end $$;

-- Stores what a log's growth has completed.
create function audit.grow(log uuid, from_size bigint, to_size bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  above integer := 1;
  before bigint := from_size / 256;
  after bigint := to_size / 256;
begin
  while after > 0 loop
    insert into audit.node (tenant_id, level, node_index, hash)
      select log, above, g, audit.fold(audit.hashes(log, above - 1, g * 256, 256))
      from generate_series(before, after - 1) g;
    above := above + 1;
    before := before / 256;
    after := after / 256;
  end loop;
end $$;

-- The partition of one month, which begins at `month` in UTC.
create function audit.make_partition(month timestamp) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare name constant text := 'entry_' || to_char(month, 'YYYY_MM');
begin
  execute format(
    'create table audit.%I partition of audit.entry for values from (%L) to (%L)', name,
    to_char(month, 'YYYY-MM-DD') || ' 00:00:00+00',
    to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
  execute format('alter table audit.%I enable row level security', name);
  execute format('alter table audit.%I force row level security', name);
end $$;

-- Makes the partitions from the oldest event that waits to two months ahead; says how many.
create function audit.make_partitions() returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  month timestamp;
  made integer := 0;
begin
  perform audit.begin('sequence_log');
  perform from audit.log l where l.tenant_id = seal.platform_tenant() for update;
  for month in
    select generate_series(
      date_trunc('month', least(clock_timestamp(), (select min(e.recorded_at) from audit.event e))
        at time zone 'UTC'),
      date_trunc('month', clock_timestamp() at time zone 'UTC') + interval '2 months',
      interval '1 month')
  loop
    -- What the default one holds of a month keeps that month there.
    continue when to_regclass('audit.entry_' || to_char(month, 'YYYY_MM')) is not null
      or exists (
        select from audit.entry e
        where e.recorded_at >= month at time zone 'UTC'
          and e.recorded_at < (month + interval '1 month') at time zone 'UTC'
      );
    perform audit.make_partition(month);
    made := made + 1;
  end loop;
  return made;
end $$;

do $$
begin
  for ahead in 0..2 loop
    perform audit.make_partition(
      date_trunc('month', now() at time zone 'UTC') + ahead * interval '1 month');
  end loop;
end $$;

-- Gives up to `most` events that are committed their place, the oldest first, and says how many.
-- One at a time sequences: who comes meanwhile finds the row of the platform's log locked and does
-- nothing. Event and entry change places in one transaction: one event is one entry, whatever ends
-- in between.
create function audit.sequence(most integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  places tid[];
  grown record;
begin
  perform audit.begin('sequence_log');
  perform from audit.log l
    where l.tenant_id = seal.platform_tenant() for update skip locked;
  if not found then
    return 0;
  end if;
  places := array(
    select e.ctid from audit.event e order by e.recorded_at, e.event_id limit most
  );
  if cardinality(places) = 0 then
    return 0;
  end if;
  insert into audit.log (tenant_id)
    select distinct e.tenant_id from audit.event e where e.ctid = any (places)
    on conflict do nothing;
  for grown in
    with taken as (
      delete from audit.event e where e.ctid = any (places) returning e.*
    ), placed as materialized (
      select t.*, l.size - 1 + row_number() over (
        partition by t.tenant_id order by t.recorded_at, t.event_id) as leaf_index
      from taken t join audit.log l on l.tenant_id = t.tenant_id
    ), salted as materialized (
      select p.tenant_id, p.leaf_index, d.name, p.detail ->> d.name as value,
        uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) as salt,
        coalesce(p.account_id::text, p.detail ->> 'account', p.detail ->> 'account_id') as account
      from placed p join audit.erasable_detail d
        on jsonb_typeof(p.detail -> d.name) = 'string'
    ), covers as (
      select s.tenant_id, s.leaf_index, jsonb_object_agg(s.name, jsonb_build_object('salted',
        encode(sha256(s.salt || convert_to(s.value, 'UTF8')), 'base64'))) as cover
      from salted s group by s.tenant_id, s.leaf_index
    ), written as materialized (
      select p.*, concat(
        '{"v":1,"log":"', p.tenant_id, '","index":', p.leaf_index, ',"id":"', p.event_id,
        '","type":', to_json(p.type), ',"class":', to_json(p.class),
        ',"account":', coalesce(to_json(p.account_id)::text, 'null'),
        ',"subject":', coalesce(to_json(p.subject_id)::text, 'null'),
        ',"actor":', coalesce(to_json(p.actor_id)::text, 'null'),
        ',"occurred_at":"', audit.instant(p.occurred_at),
        '","recorded_at":"', audit.instant(p.recorded_at),
        '","trace":', coalesce(to_json(p.detail ->> 'trace')::text, 'null'),
        ',"mac":"', encode(p.mac, 'hex'), '","detail":',
        case when c.cover is null then p.detail else p.detail || c.cover end, '}') as line
      from placed p left join covers c
        on c.tenant_id = p.tenant_id and c.leaf_index = p.leaf_index
    ), hashed as materialized (
      select w.*, sha256('\x00'::bytea || convert_to(w.line, 'UTF8')) as leaf_hash from written w
    ), entered as (
      insert into audit.entry (tenant_id, leaf_index, event_id, recorded_at, type, account_id,
        subject_id, actor_id, trace, line, leaf_hash)
      select h.tenant_id, h.leaf_index, h.event_id, h.recorded_at, h.type, h.account_id,
        h.subject_id, h.actor_id, h.detail ->> 'trace', h.line, h.leaf_hash
      from hashed h
    ), leaved as (
      insert into audit.leaf (tenant_id, leaf_index, leaf_hash)
      select h.tenant_id, h.leaf_index, h.leaf_hash from hashed h
    ), disclosed as (
      insert into audit.disclosure (tenant_id, leaf_index, name, salt, value, account_id)
      select s.tenant_id, s.leaf_index, s.name, s.salt, s.value,
        case when s.account ~ '^[0-9a-f-]{36}$' then s.account::uuid end
      from salted s
    )
    update audit.log l
      set size = l.size + n.count
      from (select h.tenant_id, count(*) from hashed h group by h.tenant_id) n
      where l.tenant_id = n.tenant_id
      returning l.tenant_id, l.size - n.count as from_size, l.size as to_size
  loop
    perform audit.grow(grown.tenant_id, grown.from_size, grown.to_size);
  end loop;
  return cardinality(places);
end $$;

-- As RFC 3339 has it: UTC, with microseconds.
create function audit.instant(at timestamptz) returns text language sql stable
  return to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

-- Logs that have grown since they were last signed, in the order of their ids, after `after`.
create function audit.unsigned(after uuid, most integer)
returns table (tenant_id uuid, size bigint, root bytea)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform audit.begin('sequence_log');
  return query
    select l.tenant_id, l.size, audit.subtree(l.tenant_id, 0, l.size)
    from audit.log l
    where l.size > l.signed_size and l.tenant_id > after
    order by l.tenant_id limit most;
end $$;

-- Keeps a signed checkpoint; false if there is one as large. Its root must be the log's own. Of a
-- day the last one stays: any two sizes can be proved consistent, and the anchor has all.
create function audit.keep_checkpoint(
  log uuid, size bigint, root bytea, note text, key_id text, made_at timestamptz
) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare before bigint;
begin
  perform audit.begin('sequence_log');
  -- As the sequencer does: nobody waits in a circle.
  perform from audit.log l where l.tenant_id = seal.platform_tenant() for update;
  if audit.subtree(log, 0, size) is distinct from root then
    raise exception 'a checkpoint says another root than the log has' using errcode = '42501';
  end if;
  perform from audit.log_key k where k.key_id = keep_checkpoint.key_id and k.retired_at is null;
  if not found then
    raise exception 'a checkpoint is signed by a key that is not current' using errcode = '42501';
  end if;
  select l.signed_size into before from audit.log l
    where l.tenant_id = log and l.size >= keep_checkpoint.size for update;
  if (before < keep_checkpoint.size) is not true then
    return false;
  end if;
  update audit.log l set signed_size = keep_checkpoint.size where l.tenant_id = log;
  delete from audit.checkpoint c
    where c.tenant_id = log and c.size = before
      and date_trunc('day', c.made_at, 'UTC') = date_trunc('day', keep_checkpoint.made_at, 'UTC');
  insert into audit.checkpoint (tenant_id, size, root, note, key_id, made_at)
    values (log, keep_checkpoint.size, keep_checkpoint.root, keep_checkpoint.note,
      keep_checkpoint.key_id, keep_checkpoint.made_at);
  return true;
end $$;

-- The last checkpoint of each log that is not yet outside of the database.
create function audit.unanchored(after uuid, most integer)
returns table (tenant_id uuid, size bigint, note text, made_at timestamptz)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform audit.begin('sequence_log');
  return query
    select l.tenant_id, c.size, c.note, c.made_at
    from audit.log l join audit.checkpoint c
      on c.tenant_id = l.tenant_id and c.size = l.signed_size
    where l.signed_size > l.anchored_size and l.tenant_id > after
    order by l.tenant_id limit most;
end $$;

create function audit.mark_anchored(logs uuid[], sizes bigint[], at timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform audit.begin('sequence_log');
  perform from audit.log l where l.tenant_id = seal.platform_tenant() for update;
  update audit.log l set anchored_size = a.size
    from unnest(logs, sizes) as a (log, size)
    where l.tenant_id = a.log and l.anchored_size < a.size;
  update audit.checkpoint c set anchored_at = at
    from unnest(logs, sizes) as a (log, size)
    where c.tenant_id = a.log and c.size = a.size and c.anchored_at is null;
end $$;

-- Retention. No month is dropped before six years have passed since its end (45 CFR
-- 164.316(b)(2)(i)), none that a hold of any clinic in it keeps, and none that is not archived.

-- Says that these entries stand in a file that was verified: its hashes must be the log's own.
create function audit.record_archive(
  log uuid, from_index bigint, to_index bigint, leaf_hashes bytea, file_digest bytea
) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform audit.begin('keep_log');
  -- The digest of all leaf hashes in their order, as the file has them.
  if leaf_hashes is distinct from (
    select sha256(string_agg(l.leaf_hash, ''::bytea order by l.leaf_index)) from audit.leaf l
    where l.tenant_id = log and l.leaf_index >= record_archive.from_index
      and l.leaf_index < record_archive.to_index
    having count(*) = record_archive.to_index - record_archive.from_index
  ) then
    return false;
  end if;
  insert into audit.archive (tenant_id, from_index, to_index, file_digest, verified_at)
    values (log, record_archive.from_index, record_archive.to_index, record_archive.file_digest,
      clock_timestamp())
    on conflict on constraint archive_pkey do update
      set to_index = excluded.to_index, file_digest = excluded.file_digest,
        verified_at = excluded.verified_at
      where archive.to_index <= excluded.to_index;
  return true;
end $$;

-- Drops the months that end no later than `month` begins; says which. Refuses (42501) where it
-- may not, and then drops none. The leaves' hashes stay.
create function audit.expire_before(month date) returns text[]
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  until constant timestamptz := date_trunc('month', month::timestamp) at time zone 'UTC';
  doomed text[];
  name text;
begin
  perform audit.begin('keep_log');
  if (until <= clock_timestamp() - interval '6 years') is not true then
    raise exception 'entries are kept for six years' using errcode = '42501';
  end if;
  if exists (
    select from audit.entry e
    join audit.hold h on h.tenant_id = e.tenant_id and h.lifted_at is null
    where e.recorded_at < until
  ) then
    raise exception 'a legal hold keeps these entries' using errcode = '42501';
  end if;
  if exists (
    select from audit.entry e
    where e.recorded_at < until and not exists (
      select from audit.archive a
      where a.tenant_id = e.tenant_id and e.leaf_index >= a.from_index and e.leaf_index < a.to_index
    )
  ) then
    raise exception 'these entries are not archived' using errcode = '42501';
  end if;
  doomed := array(
    select c.relname::text
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'audit.entry'::regclass and c.relname ~ '^entry_\d{4}_\d{2}$'
      and to_date(right(c.relname, 7), 'YYYY_MM') < date_trunc('month', month::timestamp)
    order by c.relname
  );
  foreach name in array doomed loop
    execute format('drop table audit.%I', name);
  end loop;
  return doomed;
end $$;

-- Erases what the logs disclose of a person; says of how many entries.
create function audit.forget_person(account uuid) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare gone bigint;
begin
  perform audit.begin('keep_log');
  delete from audit.disclosure d where d.account_id = account;
  get diagnostics gone = row_count;
  return gone;
end $$;

revoke execute on all functions in schema audit from public;
grant execute on function
  audit.make_partitions(), audit.sequence(integer), audit.unsigned(uuid, integer),
  audit.keep_checkpoint(uuid, bigint, bytea, text, text, timestamptz),
  audit.unanchored(uuid, integer), audit.mark_anchored(uuid[], bigint[], timestamptz)
  to lanyard_sequencer;
grant execute on function
  audit.fold(bytea[]), audit.hashes(uuid, integer, bigint, bigint),
  audit.subtree(uuid, bigint, bigint), audit.split(bigint),
  audit.inclusion_proof(uuid, bigint, bigint), audit.consistency_proof(uuid, bigint, bigint)
  to lanyard_tenant, lanyard_platform;
grant execute on function
  audit.record_archive(uuid, bigint, bigint, bytea, bytea), audit.expire_before(date),
  audit.forget_person(uuid)
  to lanyard_platform;

insert into identity.permission (permission, scope) values
  ('audit.log.read', 'audit:read');
insert into identity.role_permission (role, permission) values
  ('clinic_admin', 'audit.log.read'),
  ('compliance_lead', 'audit.log.read'),
  ('super_admin', 'audit.log.read');

insert into audit.event_type (type, plane) values
  ('audit.key_rotated', 'sequencer'),
  ('audit.exported', 'platform'),
  ('audit.viewed', 'tenant');
