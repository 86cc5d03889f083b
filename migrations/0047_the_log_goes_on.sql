-- No event may stop the log. What is read out of a detail is read as what it is, or not at all; and
-- whoever keeps the log can ask whether events wait (docs/decisions/0024).
--
-- The previous release writes details that are objects alone, and calls the same functions.

-- What is no object has no members that a line could be made of.
alter table audit.event add constraint event_detail_is_an_object
  check (jsonb_typeof(detail) = 'object');

-- The id that a text is; null: it is none. Never an error.
create function audit.id_of(said text) returns uuid language sql immutable
  return case when said ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then said::uuid end;
revoke execute on function audit.id_of(text) from public;

-- As before (0039), and an account is what is one.
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
        audit.id_of(s.account)
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

-- As before (0040), and a patient is who is one.
create or replace function audit.note_entries() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
  insert into audit.concern
    (tenant_id, subject_id, leaf_index, recorded_at, type, by_subject, was_acted, actor_id)
    select e.tenant_id, audit.id_of(p.patient), e.leaf_index, e.recorded_at, e.type, e.subject_id,
      e.actor_id is not null, e.actor_id
    from entered e
    join audit.event_type t on t.type = e.type and t.concerns is not null
    cross join lateral jsonb_array_elements_text(
      case when jsonb_typeof(e.line::jsonb #> array['detail', t.concerns]) = 'array'
        then e.line::jsonb #> array['detail', t.concerns] else '[]' end) as p (patient)
    where e.subject_id is not null and audit.id_of(p.patient) is not null
    on conflict do nothing;
  insert into audit.review (tenant_id, leaf_index, type, recorded_at, subject_id)
    select e.tenant_id, e.leaf_index, e.type, e.recorded_at, e.subject_id
    from entered e
    join audit.event_type t on t.type = e.type and t.review is not null;
  return null;
end $$;

-- Whether events wait that the sequencer should have taken long since: it cannot, or lags. It takes
-- what is committed twice a second.
create function audit.is_behind() returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform audit.begin('sequence_log');
  return exists (
    select from audit.event e where e.recorded_at < clock_timestamp() - interval '10 seconds'
  );
end $$;
revoke execute on function audit.is_behind() from public;
grant execute on function audit.is_behind() to lanyard_sequencer;

-- As before (0030), and a hold that is being placed is waited for: it keeps these entries, or is
-- placed when they are gone.
create or replace function audit.expire_before(month date) returns text[]
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
  lock table audit.hold in share mode;
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
