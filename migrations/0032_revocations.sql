-- What verifiers are told of: whatever ends a token before its time
-- (docs/decisions/0027-revocation-reaches-verifiers.md).
--
-- Triggers write what ended into revocation.event, in the transaction of the end itself, whatever
-- code makes it: nothing ends untold, and what is rolled back was never told. Positions are given
-- after the commit, by revocation.sequence alone, which moves events to revocation.published: a
-- transaction that was held open across later ones is told after them and is not passed by.
--
-- Of a person's end each of her clinics has an event of its own, with its own ids and no other's.
--
-- The previous release changes the same tables, so its ends are told too; it publishes nothing, and
-- the first server of this one moves what waits.

create schema revocation;
grant usage on schema revocation to lanyard_identity, lanyard_retention;

-- Written by triggers; empty but for what was committed a moment ago.
create table revocation.event (
  tenant_id uuid not null,
  event_id uuid not null default gen_random_uuid(),
  kind text not null check (kind in ('session', 'family', 'account', 'membership', 'roles',
    'credential', 'tenant', 'tenant_resumed', 'role', 'key', 'impersonation')),
  subject_id uuid,        -- null: not about one member
  sid uuid,               -- null: not about one session
  client_id text,         -- of a family alone, as audience
  audience text,
  named text[],           -- of a key its kid, of a role its name
  reason text not null check (reason ~ '^[a-z_]{1,40}$'),
  occurred_at timestamptz not null,
  -- What one transaction does to one member in several statements is told once.
  written_in text not null default pg_current_xact_id()::text,
  recorded_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, event_id)
);
create unique index event_once_a_transaction
  on revocation.event (tenant_id, kind, subject_id, reason, written_in) where sid is null;
create index event_by_recording on revocation.event (recorded_at);
alter table revocation.event enable row level security;
alter table revocation.event force row level security;

-- The same with its position, until nobody can need it any more.
create table revocation.published (
  tenant_id uuid not null,
  position bigint not null check (position > 0),
  event_id uuid not null,
  kind text not null,
  subject_id uuid,
  sid uuid,
  client_id text,
  audience text,
  named text[],
  reason text not null,
  occurred_at timestamptz not null,
  -- Tokens issued until then are refused. Not when it happened: whoever was answered while the
  -- transaction was under way has a token from after that.
  issued_until timestamptz not null,
  published_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, position)
);
create index published_by_position on revocation.published (position);
create index published_by_time on revocation.published (published_at);
alter table revocation.published enable row level security;
alter table revocation.published force row level security;

-- The last position that was given. One row, of number 1, which only the sequencer holds.
create table revocation.head (
  head integer primary key check (head = 1),
  position bigint not null check (position >= 0)
);
insert into revocation.head (head, position) values (1, 0);
alter table revocation.head enable row level security;
alter table revocation.head force row level security;

-- How far each receiver that polls has acknowledged (RFC 8936): everything up to a position, and
-- some beyond it.
create table revocation.receiver (
  tenant_id uuid not null,
  client_id text not null,
  acknowledged_through bigint not null check (acknowledged_through >= 0),
  acknowledged bigint[] not null default '{}' check (cardinality(acknowledged) <= 10000),
  -- What it asked for by OpenID SSF 1.0 §8.1.1; null: it made no stream, and polls for everything.
  stream_id uuid,
  status text not null default 'enabled' check (status in ('enabled', 'paused', 'disabled')),
  status_reason text check (length(status_reason) <= 200), -- null: none given
  events_requested text[],  -- null: all
  description text check (length(description) <= 200),     -- null: none given
  -- A verification event that waits (SSF §8.1.4.2); null: none.
  verification_id uuid,
  verification_state text check (length(verification_state) <= 500),
  polled_at timestamptz not null,
  primary key (tenant_id, client_id),
  foreign key (tenant_id, client_id) references identity.client on delete cascade
);
alter table revocation.receiver enable row level security;
alter table revocation.receiver force row level security;

-- What each verifier last said of itself: one row a process.
create table revocation.standing (
  tenant_id uuid not null,
  client_id text not null,
  instance text not null check (length(instance) <= 64), -- empty: it gave no name
  version text not null check (length(version) <= 40),
  keys_age_seconds bigint not null check (keys_age_seconds >= 0),
  position bigint, -- null: it never had the stream
  lag_milliseconds bigint check (lag_milliseconds >= 0), -- null: as position
  reported_at timestamptz not null,
  primary key (tenant_id, client_id, instance),
  foreign key (tenant_id, client_id) references identity.client on delete cascade
);
create index standing_by_report on revocation.standing (reported_at);
alter table revocation.standing enable row level security;
alter table revocation.standing force row level security;

-- Whether one of this file's functions is at work. The setting is worth nothing to anybody else: the
-- policies that ask for it are the owner's, which can't log in, and no other function of the owner's
-- looks at these tables.
create function seal.is_telling() returns boolean language sql stable
  return current_setting('lanyard.telling', true) = 'yes';
revoke execute on function seal.is_telling() from public;

create policy telling on revocation.event for all to lanyard_owner
  using (seal.is_telling()) with check (seal.is_telling());
create policy telling on revocation.published for all to lanyard_owner
  using (seal.is_telling()) with check (seal.is_telling());
create policy telling on revocation.head for all to lanyard_owner
  using (seal.is_telling()) with check (seal.is_telling());
create policy telling on identity.tenant_session for select to lanyard_owner
  using (seal.is_telling());
create policy telling on identity.membership for select to lanyard_owner
  using (seal.is_telling());

-- Writes what a trigger's row says ended: `tg_argv[0]` names the kind. NOTIFY carries nothing: it
-- says that there is something to be looked for.
create function revocation.tell() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  set local lanyard.telling = 'yes';
  case tg_argv[0]
    when 'session' then
      insert into revocation.event (tenant_id, kind, subject_id, sid, reason, occurred_at)
        select t.tenant_id, 'session', t.subject_id, t.sid, new.end_reason, new.ended_at
        from identity.tenant_session t where t.session_id = new.session_id;
    when 'session_there' then
      insert into revocation.event (tenant_id, kind, subject_id, sid, reason, occurred_at)
        values (new.tenant_id, 'session', new.subject_id, new.sid, 'administered', new.ended_at);
    when 'family' then
      insert into revocation.event
          (tenant_id, kind, subject_id, sid, client_id, audience, reason, occurred_at)
        select t.tenant_id, 'family', new.subject_id, t.sid, new.client_id, new.audience,
          new.end_reason, new.ended_at
        from identity.tenant_session t
        where t.tenant_id = new.tenant_id and t.session_id = new.session_id;
    when 'account' then
      insert into revocation.event (tenant_id, kind, subject_id, reason, occurred_at)
        select m.tenant_id, 'account', m.subject_id,
          case when new.status = 'disabled' then 'disabled' else 'credentials_changed' end,
          clock_timestamp()
        from identity.membership m where m.account_id = new.account_id
        on conflict do nothing;
    when 'credential' then
      insert into revocation.event (tenant_id, kind, subject_id, reason, occurred_at)
        select m.tenant_id, 'credential', m.subject_id, tg_argv[1], clock_timestamp()
        from identity.membership m
        where m.account_id = case when tg_op = 'DELETE' then old.account_id else new.account_id end
        on conflict do nothing;
    when 'membership' then
      insert into revocation.event (tenant_id, kind, subject_id, reason, occurred_at)
        values (new.tenant_id, 'membership', new.subject_id, new.status, clock_timestamp());
    when 'roles' then
      -- Of a member who was made in this transaction nobody has a token yet.
      insert into revocation.event (tenant_id, kind, subject_id, reason, occurred_at)
        select m.tenant_id, 'roles', m.subject_id, 'roles_changed', clock_timestamp()
        from identity.membership m
        where (m.tenant_id, m.subject_id) = (case when tg_op = 'DELETE'
            then old.tenant_id else new.tenant_id end,
          case when tg_op = 'DELETE' then old.subject_id else new.subject_id end)
          and m.xmin <> pg_current_xact_id()::xid
        on conflict do nothing;
    when 'tenant' then
      insert into revocation.event (tenant_id, kind, reason, occurred_at)
        values (new.tenant_id, case when new.status = 'active' then 'tenant_resumed'
          else 'tenant' end, new.status, clock_timestamp());
    when 'sessions_end' then
      insert into revocation.event (tenant_id, kind, reason, occurred_at)
        values (new.tenant_id, 'tenant', new.reason, new.ended_at);
    when 'key' then
      insert into revocation.event (tenant_id, kind, named, reason, occurred_at)
        values (seal.platform_tenant(), 'key', array[new.kid], 'gone',
          coalesce(new.gone_at, clock_timestamp()));
    when 'impersonation' then
      insert into revocation.event (tenant_id, kind, subject_id, sid, reason, occurred_at)
        values (new.tenant_id, 'impersonation', new.subject_id, new.impersonation_id,
          new.end_reason, new.ended_at);
  end case;
  set local lanyard.telling = '';
  notify lanyard_revocation;
  return null;
end $$;
revoke execute on function revocation.tell() from public;

-- None of these is looked at by a rotation, which sets none of their columns.
create trigger told after update of ended_at on identity.session for each row
  when (old.ended_at is null and new.ended_at is not null)
  execute function revocation.tell('session');
create trigger told after update of ended_at on identity.token_family for each row
  when (old.ended_at is null and new.ended_at is not null)
  execute function revocation.tell('family');
create trigger told after update of status, password_epoch on identity.account for each row
  when (new.password_epoch <> old.password_epoch
    or (old.status = 'active' and new.status <> 'active'))
  execute function revocation.tell('account');
create trigger told after update of changed_at on identity.password for each row
  when (new.changed_at is distinct from old.changed_at)
  execute function revocation.tell('credential', 'password_changed');
create trigger told_of_a_new_one after update of confirmed_at on identity.totp for each row
  when (old.confirmed_at is null and new.confirmed_at is not null)
  execute function revocation.tell('credential', 'device_added');
create trigger told after delete on identity.totp for each row
  when (old.confirmed_at is not null)
  execute function revocation.tell('credential', 'device_removed');
create trigger told after update of status on identity.membership for each row
  when (old.status = 'active' and new.status <> 'active')
  execute function revocation.tell('membership');
create trigger told after insert or delete on identity.membership_role for each row
  execute function revocation.tell('roles');
create trigger told after update of status on tenancy.tenant for each row
  when (new.status <> old.status)
  execute function revocation.tell('tenant');
-- Also of one that goes by the schedule: nothing that it signed lives, and nothing is refused by it.
create trigger told after update of standing on identity.signing_key for each row
  when (new.standing = 'gone' and old.standing <> 'gone')
  execute function revocation.tell('key');

-- What a clinic ends for itself (0031).
create trigger told after update of ended_at on identity.tenant_session for each row
  when (old.ended_at is null and new.ended_at is not null)
  execute function revocation.tell('session_there');
create trigger told after insert on identity.sessions_end for each row
  execute function revocation.tell('sessions_end');

-- What a role may no longer do, in every clinic. What it may do beside is no revocation: a release
-- that adds a permission sends nobody for another token.
create function revocation.tell_of_roles() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  set local lanyard.telling = 'yes';
  insert into revocation.event (tenant_id, kind, named, reason, occurred_at)
    select seal.platform_tenant(), 'role', array_agg(distinct c.role order by c.role),
      'permissions_changed', clock_timestamp()
    from changed c
    having count(*) > 0;
  set local lanyard.telling = '';
  notify lanyard_revocation;
  return null;
end $$;
revoke execute on function revocation.tell_of_roles() from public;
create trigger told after delete on identity.role_permission
  referencing old table as changed for each statement
  execute function revocation.tell_of_roles();

-- A restored database gives positions that it gave before, to others: after a restore they begin
-- beyond all that were ever given, so that no verifier goes on from one of its old ones.
create function revocation.leap() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  set local lanyard.telling = 'yes';
  update revocation.head h set position = h.position + 1000000000000 where h.head = 1;
  set local lanyard.telling = '';
  return null;
end $$;
revoke execute on function revocation.leap() from public;
create trigger leap after insert on identity.epoch for each row
  execute function revocation.leap();

-- Moves what was committed to its positions, `most` events at most, in the order in which it was
-- recorded; says the last position and how many were moved. One at a time holds the head: no
-- position is given twice, and none is left out.
--
-- - at_instant: now, by the clock that tokens are issued by
create function revocation.sequence(
  at_instant timestamptz, most integer, out last_position bigint, out moved bigint
) language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if (seal.job() = 'tell_revocations') is not true then
    raise exception 'only the job that tells of revocations gives positions'
      using errcode = '42501';
  end if;
  set local lanyard.telling = 'yes';
  select h.position into last_position from revocation.head h where h.head = 1;
  moved := 0;
  if exists (select from revocation.event) then
    select h.position into last_position from revocation.head h where h.head = 1 for update;
    with taken as (
      delete from revocation.event where ctid = any (array(
        select e.ctid from revocation.event e
        order by e.recorded_at limit most for update skip locked
      )) returning *
    ), placed as (
      insert into revocation.published (tenant_id, position, event_id, kind, subject_id, sid,
        client_id, audience, named, reason, occurred_at, issued_until)
      select t.tenant_id,
        last_position + row_number() over (order by t.recorded_at, t.event_id),
        t.event_id, t.kind, t.subject_id, t.sid, t.client_id, t.audience, t.named, t.reason,
        t.occurred_at, greatest(t.occurred_at, at_instant)
      from taken t
      returning position
    )
    select count(*) into moved from placed;
    last_position := last_position + moved;
    update revocation.head h set position = last_position where h.head = 1;
    notify lanyard_revocation_published;
  end if;
  set local lanyard.telling = '';
end $$;
revoke execute on function revocation.sequence(timestamptz, integer) from public;
grant execute on function revocation.sequence(timestamptz, integer) to lanyard_identity;

create policy job_reads on revocation.published for select to lanyard_identity
  using (seal.job() = 'tell_revocations');
create policy job_reads on revocation.head for select to lanyard_identity
  using (seal.job() = 'tell_revocations');
grant select on revocation.published, revocation.head to lanyard_identity;

create policy identity_works on revocation.receiver for all to lanyard_identity
  using (seal.job_for(tenant_id) = 'tell_revocations')
  with check (seal.job_for(tenant_id) = 'tell_revocations');
grant select, insert, update (acknowledged_through, acknowledged, polled_at, stream_id, status,
  status_reason, events_requested, description, verification_id, verification_state)
  on revocation.receiver to lanyard_identity;
create policy identity_works on revocation.standing for all to lanyard_identity
  using (seal.job_for(tenant_id) = 'tell_revocations')
  with check (seal.job_for(tenant_id) = 'tell_revocations');
grant select, insert, update (version, keys_age_seconds, position, lag_milliseconds, reported_at)
  on revocation.standing to lanyard_identity;

-- What is dead (0017): the least that any configuration keeps is the longest token's life, the clocks'
-- leeway, and ten minutes in which a verifier may come back: an hour holds all of them.
create policy dead on revocation.published for all to lanyard_retention
  using (seal.is_purging() and published_at < now() - interval '1 hour')
  with check (false);
create policy dead on revocation.standing for all to lanyard_retention
  using (seal.is_purging() and reported_at < now() - interval '1 hour')
  with check (false);
grant select, delete, update (published_at) on revocation.published to lanyard_retention;
grant select, delete, update (reported_at) on revocation.standing to lanyard_retention;

create function revocation.purge_published(before timestamptz, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare gone bigint;
begin
  delete from revocation.published where ctid = any (array(
    select d.ctid from revocation.published d
    where d.published_at < before order by d.published_at limit most for update skip locked
  ));
  get diagnostics gone = row_count;
  return gone;
end $$;
create function revocation.purge_standings(before timestamptz, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare gone bigint;
begin
  delete from revocation.standing where ctid = any (array(
    select d.ctid from revocation.standing d
    where d.reported_at < before order by d.reported_at limit most for update skip locked
  ));
  get diagnostics gone = row_count;
  return gone;
end $$;
revoke execute on function revocation.purge_published(timestamptz, integer) from public;
revoke execute on function revocation.purge_standings(timestamptz, integer) from public;
grant execute on function
  revocation.purge_published(timestamptz, integer),
  revocation.purge_standings(timestamptz, integer) to lanyard_identity;
grant create on schema revocation to lanyard_retention;
alter function revocation.purge_published(timestamptz, integer) owner to lanyard_retention;
alter function revocation.purge_standings(timestamptz, integer) owner to lanyard_retention;
revoke create on schema revocation from lanyard_retention;
