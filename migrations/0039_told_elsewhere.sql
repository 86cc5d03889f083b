-- What of the log goes elsewhere, and what leads back from it (docs/decisions/0034). An entry names
-- the request that it belongs to; whoever may reads the log on from a place, or takes it along;
-- sinks are told of every entry, in order and without a gap.
--
-- The previous release writes events without a trace, and the line says so, as it did. It knows no
-- sink, and tells none.

-- The request's id is a member of the detail, where the server's MAC covers it; in the line it has
-- its own place. Of our own making: nobody else's text gets into the log by it.
alter table audit.event add constraint event_trace_is_a_request_id
  check (coalesce(detail ->> 'trace' ~ '^[0-9a-f]{16}$', true));

-- As before (0030), and the trace leaves the detail for its own place.
create or replace function audit.sequence(most integer) returns integer
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
      select t.tenant_id, t.event_id, t.type, t.class, t.account_id, t.subject_id, t.actor_id,
        t.occurred_at, t.recorded_at, t.mac, t.detail ->> 'trace' as trace,
        t.detail - 'trace' as detail, l.size - 1 + row_number() over (
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
        '","trace":', coalesce(to_json(p.trace)::text, 'null'),
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
        h.subject_id, h.actor_id, h.trace, h.line, h.leaf_hash
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

-- An event that happens in two planes: whoever reads a log down is an operator or a clinic's auditor.
alter table audit.event_type add column also text -- null: it happens in one plane
  check (also in ('identity', 'tenant', 'platform', 'apps', 'sequencer'));
update audit.event_type set also = 'tenant' where type = 'audit.exported';
-- As before (0004), in either plane.
create or replace function audit.append(
  event_id uuid, type text, occurred_at timestamptz, detail jsonb, mac bytea
) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare content constant seal.content := seal.context();
begin
  if not exists (
    select from audit.event_type t
    where t.type = append.type
      and session_user in ('lanyard_' || t.plane, 'lanyard_' || t.also)
  ) then
    raise exception 'this plane has no such event' using errcode = '42501';
  end if;
  insert into audit.event (tenant_id, event_id, type, class, account_id, subject_id, actor_id,
      occurred_at, recorded_at, detail, mac)
    values (coalesce(content.tenant, seal.platform_tenant()), append.event_id, append.type,
      content.class, content.account, content.subject, content.actor,
      append.occurred_at, clock_timestamp(), append.detail, append.mac);
end $$;

-- Where the entries of a log go as they come. The cursor is the receiver's: it moves when the
-- receiver has what was sent, by exactly that, and never back.
create table audit.sink (
  tenant_id uuid not null,
  sink_id uuid not null,
  kind text not null check (kind in ('https', 'syslog')),
  form text not null check (form in ('line', 'ocsf')),
  address text not null check (octet_length(address) <= 2000),
  authority text,       -- null: whom the system believes is believed
  secret_sealed bytea,  -- null: the receiver asks for none
  next_index bigint not null check (next_index >= 0),
  created_at timestamptz not null,
  due_at timestamptz not null,
  taken_by uuid,        -- null: nobody is at it
  taken_until timestamptz,
  failures integer not null default 0 check (failures >= 0),
  failure text check (failure ~ '^[a-z0-9_]{1,40}$'), -- null: the last try went well
  failing_since timestamptz,
  sent_at timestamptz,  -- null: nothing was sent yet
  primary key (tenant_id, sink_id),
  constraint sink_fails_for_a_reason check (
    (failures = 0) = (failure is null) and (failures = 0) = (failing_since is null)
  ),
  constraint sink_is_taken_whole check ((taken_by is null) = (taken_until is null))
);
create index sink_due on audit.sink (due_at);
alter table audit.sink enable row level security;
alter table audit.sink force row level security;
create policy kept_by_job on audit.sink for all to lanyard_platform
  using (seal.job_for(tenant_id) in ('keep_log', 'forward_log'))
  with check (seal.job_for(tenant_id) in ('keep_log', 'forward_log'));
grant select, insert, delete,
  update (next_index, due_at, taken_by, taken_until, failures, failure, failing_since, sent_at)
  on audit.sink to lanyard_platform;
-- The cursor goes forward alone, whatever a statement says.
create function audit.sink_goes_forward() returns trigger language plpgsql
set search_path = pg_catalog, pg_temp as $$
begin
  if new.next_index < old.next_index then
    raise exception 'a sink goes forward alone' using errcode = '42501';
  end if;
  return new;
end $$;
revoke execute on function audit.sink_goes_forward() from public;
create trigger sink_goes_forward before update on audit.sink
  for each row execute function audit.sink_goes_forward();

-- How many entries each sink does not have; and, where that is asked, when the first of them was
-- recorded. Entries themselves are read as who reads a log does, one tenant at a time.
create policy at_work on audit.sink for select to lanyard_owner using (seal.is_at_the_log());
create function audit.sinks_lag(with_oldest boolean)
returns table (tenant_id uuid, sink_id uuid, behind bigint, oldest timestamptz)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform audit.begin('forward_log');
  return query
    select s.tenant_id, s.sink_id, greatest(coalesce(l.size, 0) - s.next_index, 0), e.recorded_at
    from audit.sink s
    left join audit.log l on l.tenant_id = s.tenant_id
    left join lateral (
      select x.recorded_at from audit.entry x
      where with_oldest and x.tenant_id = s.tenant_id and x.leaf_index = s.next_index
    ) e on true;
end $$;

-- Where in each log entries stand that were recorded before `until`: the range that holds them all.
create function audit.older_than(until timestamptz)
returns table (tenant_id uuid, from_index bigint, to_index bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform audit.begin('keep_log');
  return query
    select e.tenant_id, min(e.leaf_index), max(e.leaf_index) + 1
    from audit.entry e
    where e.recorded_at < until
    group by e.tenant_id;
end $$;
revoke execute on function audit.sinks_lag(boolean), audit.older_than(timestamptz) from public;
grant execute on function audit.sinks_lag(boolean), audit.older_than(timestamptz)
  to lanyard_platform;

-- What a hold is for: a reference to whoever asked for it, never a text about a person.
alter table audit.hold add column matter text -- null: nothing was said, or before there was this
  check (matter ~ '^[A-Za-z0-9][A-Za-z0-9._/:-]{0,63}$');

insert into identity.permission (permission, scope) values
  ('audit.log.export', 'audit:read');
insert into identity.role_permission (role, permission) values
  ('clinic_admin', 'audit.log.export'),
  ('compliance_lead', 'audit.log.export'),
  ('super_admin', 'audit.log.export');

insert into audit.event_type (type, plane) values
  ('audit.archived', 'platform'),
  ('audit.expired', 'platform'),
  ('hold.lifted', 'platform'),
  ('hold.placed', 'platform'),
  ('sink.added', 'platform'),
  ('sink.removed', 'platform');
