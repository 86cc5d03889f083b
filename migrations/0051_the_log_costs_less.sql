-- The log costs those who write it less (docs/decisions/0024, benches: `log`): what each entry had
-- done to it is done once a batch, or not at all where nothing comes of it.
--
-- The previous release calls the same functions and reads the same columns. On a long log the three
-- indexes are made while no event is moved; events are written meanwhile.

-- Written down with an entry of the platform's log, which is of all clinics, from the detail as it
-- is: a search of each line for it was a tenth of what an entry costs. Entries that are there keep
-- theirs.
alter table audit.entry alter column about_tenant drop expression;

-- What an index is entered by differs first. An account is looked for where no member is named.
drop index audit.entry_by_account;
drop index audit.entry_by_subject;
drop index audit.entry_by_trace;
create index entry_by_account on audit.entry (account_id, tenant_id, leaf_index)
  where account_id is not null and subject_id is null;
create index entry_by_subject on audit.entry (subject_id, tenant_id, leaf_index)
  where subject_id is not null;
create index entry_by_trace on audit.entry (trace, tenant_id, leaf_index)
  where trace is not null;

-- As before (0030). The hashes of a level stand one after the other in one value: in an array of
-- them a place is found by going over all before it.
create or replace function audit.fold(hashes bytea[]) returns bytea language plpgsql immutable
set search_path = pg_catalog, pg_temp as $$
declare
  level bytea := (
    select string_agg(h.hash, ''::bytea order by h.place)
    from unnest(hashes) with ordinality as h (hash, place)
  );
  above bytea;
  size integer := octet_length(level);
  place integer;
begin
  while size > 32 loop
    above := '';
    place := 1;
    while place < size loop
      above := above || case
        when place + 32 < size then sha256('\x01'::bytea || substring(level from place for 64))
        else substring(level from place) end;
      place := place + 64;
    end loop;
    level := above;
    size := octet_length(level);
  end loop;
  return level;
end $$;

-- Below: each entry is noted where it is written.
drop trigger entries_are_noted on audit.entry;
drop function audit.note_entries();

-- As before (0047), by one scan of what waits in place of three, and planned once. Lengths, and
-- what the catalog says of types, are values: of each table of the log's a planner expects one row,
-- for its policy's sake, and so joins it row by row. What was planned while next to nothing waited,
-- and is kept, is no scan but of the first statement, which reads all that waits.
create or replace function audit.sequence(most integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off set enable_seqscan = on as $$
declare
  places tid[];
  logs uuid[];
  sizes jsonb;
  erasable text[];
  concerning jsonb;
  reviewed text[];
  grown record;
begin
  perform audit.begin('sequence_log');
  perform from audit.log l
    where l.tenant_id = seal.platform_tenant() for update skip locked;
  if not found then
    return 0;
  end if;
  select array_agg(w.ctid), array_agg(distinct w.tenant_id) into places, logs
    from (
      select e.ctid, e.tenant_id from audit.event e order by e.recorded_at, e.event_id limit most
    ) w;
  if places is null then
    return 0;
  end if;
  erasable := array(select d.name from audit.erasable_detail d);
  select jsonb_object_agg(t.type, t.concerns) filter (where t.concerns is not null),
    array_agg(t.type) filter (where t.review is not null)
    into concerning, reviewed
    from audit.event_type t;
  perform set_config('enable_seqscan', 'off', true); -- until the function ends
  insert into audit.log (tenant_id) select unnest(logs) on conflict do nothing;
  select jsonb_object_agg(l.tenant_id, l.size) into sizes
    from audit.log l where l.tenant_id = any (logs);
  for grown in
    with written as materialized (
      select p.tenant_id, p.leaf_index, p.event_id, p.recorded_at, p.type, p.account_id,
        p.subject_id, p.actor_id, p.trace, p.detail, p.salts, w.line,
        sha256('\x00'::bytea || convert_to(w.line, 'UTF8')) as leaf_hash
      from (
        select e.tenant_id, e.event_id, e.type, e.class, e.account_id, e.subject_id, e.actor_id,
          e.occurred_at, e.recorded_at, e.mac, e.detail ->> 'trace' as trace,
          e.detail - 'trace' as detail,
          (sizes -> e.tenant_id::text)::bigint - 1 + row_number() over (
            partition by e.tenant_id order by e.recorded_at, e.event_id) as leaf_index,
          -- 32 random bytes for each value that may have to be erased.
          case when e.detail ?| erasable then (
            select jsonb_object_agg(d.name,
              encode(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'hex'))
            from unnest(erasable) d (name)
            where jsonb_typeof(e.detail -> d.name) = 'string'
          ) end as salts
        from audit.event e where e.ctid = any (places)
      ) p
      cross join lateral (select concat(
        '{"v":1,"log":"', p.tenant_id, '","index":', p.leaf_index, ',"id":"', p.event_id,
        '","type":', to_json(p.type), ',"class":', to_json(p.class),
        ',"account":', coalesce('"' || p.account_id || '"', 'null'),
        ',"subject":', coalesce('"' || p.subject_id || '"', 'null'),
        ',"actor":', coalesce('"' || p.actor_id || '"', 'null'),
        ',"occurred_at":"', audit.instant(p.occurred_at),
        '","recorded_at":"', audit.instant(p.recorded_at),
        '","trace":', coalesce('"' || p.trace || '"', 'null'),
        ',"mac":"', encode(p.mac, 'hex'), '","detail":',
        case when p.salts is null then p.detail else p.detail || (
          select jsonb_object_agg(s.key, jsonb_build_object('salted', encode(sha256(
            decode(s.value, 'hex') || convert_to(p.detail ->> s.key, 'UTF8')), 'base64')))
          from jsonb_each_text(p.salts) s) end, '}') as line offset 0
      ) w
    ), taken as (
      -- None but who sequences takes events, and she has the lock.
      delete from audit.event e where e.ctid = any (places)
    ), entered as (
      insert into audit.entry (tenant_id, leaf_index, event_id, recorded_at, type, account_id,
        subject_id, actor_id, trace, about_tenant, line, leaf_hash)
      select w.tenant_id, w.leaf_index, w.event_id, w.recorded_at, w.type, w.account_id,
        w.subject_id, w.actor_id, w.trace,
        case when w.tenant_id = seal.platform_tenant()
          then audit.id_of(coalesce(w.detail ->> 'tenant', w.detail ->> 'tenant_id')) end,
        w.line, w.leaf_hash
      from written w
    ), leaved as (
      insert into audit.leaf (tenant_id, leaf_index, leaf_hash)
      select w.tenant_id, w.leaf_index, w.leaf_hash from written w
    ), disclosed as (
      insert into audit.disclosure (tenant_id, leaf_index, name, salt, value, account_id)
      select w.tenant_id, w.leaf_index, s.key, decode(s.value, 'hex'), w.detail ->> s.key,
        coalesce(w.account_id, audit.id_of(
          coalesce(w.detail ->> 'account', w.detail ->> 'account_id')))
      from written w cross join jsonb_each_text(w.salts) s
      where w.salts is not null
    ), concerned as (
      insert into audit.concern
        (tenant_id, subject_id, leaf_index, recorded_at, type, by_subject, was_acted, actor_id)
      select w.tenant_id, audit.id_of(p.patient), w.leaf_index, w.recorded_at, w.type,
        w.subject_id, w.actor_id is not null, w.actor_id
      from written w
      cross join lateral jsonb_array_elements_text(
        case when jsonb_typeof(w.detail -> (concerning ->> w.type)) = 'array'
          then w.detail -> (concerning ->> w.type) else '[]' end) as p (patient)
      where concerning ? w.type and w.subject_id is not null
        and audit.id_of(p.patient) is not null
      on conflict do nothing
    ), noted as (
      insert into audit.review (tenant_id, leaf_index, type, recorded_at, subject_id)
      select w.tenant_id, w.leaf_index, w.type, w.recorded_at, w.subject_id
      from written w where w.type = any (reviewed)
    )
    update audit.log l
      set size = l.size + n.count
      from (select w.tenant_id, count(*) from written w group by w.tenant_id) n
      where l.tenant_id = n.tenant_id
      returning l.tenant_id, l.size - n.count as from_size, l.size as to_size
  loop
    perform audit.grow(grown.tenant_id, grown.from_size, grown.to_size);
  end loop;
  return cardinality(places);
end $$;

-- Whoever wants what was committed before to be in its log waits for who sequences, and is next.
create function audit.await_turn() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform audit.begin('sequence_log');
  perform from audit.log l where l.tenant_id = seal.platform_tenant() for update;
end $$;
revoke execute on function audit.await_turn() from public;
grant execute on function audit.await_turn() to lanyard_sequencer;
