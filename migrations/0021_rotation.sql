-- One rotation in two statements (docs/decisions/0020-rotations-together.md).
--
-- Before, a refresh was some fifteen round trips, each policy asked the seal anew, and every
-- rotation wrote three indexes of its family. Now the identity plane calls two functions, each a
-- transaction by itself: one reads what a rotation is judged by, one writes it. Those that arrive
-- together are read and written together, each under its own sealed context.
--
-- The functions run as lanyard_clerk, which can't log in. They have the seal check each context
-- once, and put the tenants that it vouches for where that role's own policies look. The setting is
-- worth nothing to anybody else: no other role's policy reads it, and nothing runs as the clerk but
-- these functions, which set it first.
--
-- The previous release calls none of this and loses nothing by it.

-- What seal.context() did, of a text at hand. The transaction's is one such text.
create function seal.check(sealed text) returns seal.content
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  part text[];
  inner_key bytea;
  outer_key bytea;
  mac text;
  expected text;
  expires_at timestamptz;
begin
  -- Never set: null. Set in an earlier transaction of this connection: the empty string.
  if sealed is null or sealed = '' or octet_length(sealed) > 1000 then
    raise exception 'no sealed context' using errcode = '42501';
  end if;
  part := string_to_array(sealed, '|');
  if cardinality(part) is distinct from 12 or part[1] is distinct from '1' then
    raise exception 'no sealed context' using errcode = '42501';
  end if;
  select k.inner_pad, k.outer_pad into inner_key, outer_key
    from seal.mac_key k
    where k.key_id = part[2] and k.expires_at > clock_timestamp();
  if not found then
    raise exception 'no sealed context' using errcode = '42501';
  end if;
  mac := part[12];
  expected := encode(sha256(outer_key || sha256(inner_key
    || convert_to(left(sealed, length(sealed) - length(mac) - 1), 'UTF8'))), 'hex');
  -- Hashed once more, so that the time of the comparison says nothing about the MAC.
  if sha256(convert_to(expected, 'UTF8')) is distinct from sha256(convert_to(mac, 'UTF8')) then
    raise exception 'no sealed context' using errcode = '42501';
  end if;
  -- Ours from here on: the MAC was right, so the fields have their types.
  expires_at := to_timestamp(part[11]::bigint);
  if expires_at <= clock_timestamp() then
    raise exception 'sealed context expired' using errcode = '42501';
  end if;
  -- A server whose clock runs ahead gets no longer context than any other.
  if expires_at > clock_timestamp() + interval '60 seconds' then
    raise exception 'sealed context from the future' using errcode = '42501';
  end if;
  -- BEGIN READ ONLY can be taken back by a statement; the context can't.
  if part[10] <> 'rw' and current_setting('transaction_read_only') <> 'on' then
    raise exception 'sealed context is read only' using errcode = '42501';
  end if;
  return (part[3], nullif(part[4], '')::uuid, nullif(part[5], '')::uuid, nullif(part[6], '')::uuid,
    nullif(part[7], '')::uuid, nullif(part[8], '')::uuid, nullif(part[9], ''), part[10])
    ::seal.content;
end $$;

-- Inlined where it is called: policies pay for one function, not two.
create or replace function seal.context() returns seal.content language sql stable
  return seal.check(current_setting('lanyard.context', true));

-- Whether a clerk's function has just had the seal vouch for this tenant. Ids have one length and
-- one alphabet, so none is found across two others.
create function seal.is_opened(tenant_id uuid) returns boolean language sql stable
  return position(tenant_id::text in current_setting('lanyard.opened', true)) > 0;

grant execute on function seal.check(text) to
  lanyard_identity, lanyard_tenant, lanyard_platform, lanyard_apps,
  lanyard_report, lanyard_directory, lanyard_clerk;
grant execute on function seal.is_opened(uuid), seal.platform_tenant() to lanyard_clerk;

create schema clerk;
grant usage on schema clerk to lanyard_identity;
grant usage on schema clerk, seal, identity, tenancy, audit to lanyard_clerk;

-- What the clerk may see and write. OFFSET keeps the planner from reading a whole clinic's rows
-- into a hash for the sake of one.
create policy opened on tenancy.tenant for select to lanyard_clerk
  using (seal.is_opened(tenant_id));
create policy opened on identity.membership for select to lanyard_clerk
  using (seal.is_opened(tenant_id));
create policy opened on identity.membership_role for select to lanyard_clerk
  using (seal.is_opened(tenant_id));
create policy opened on identity.session_policy for select to lanyard_clerk
  using (seal.is_opened(tenant_id));
create policy opened on identity.tenant_session for select to lanyard_clerk
  using (seal.is_opened(tenant_id));
create policy opened on identity.session for select to lanyard_clerk
  using (
    exists (
      select from identity.tenant_session t
      where t.session_id = session.session_id and seal.is_opened(t.tenant_id)
      offset 0
    )
  );
create policy opened on identity.account for select to lanyard_clerk
  using (
    exists (
      select from identity.membership m
      where m.account_id = account.account_id and seal.is_opened(m.tenant_id)
      offset 0
    )
  );
create policy opened on identity.client for select to lanyard_clerk
  using (seal.is_opened(tenant_id) or tenant_id = seal.platform_tenant());
create policy opened on identity.client_secret for select to lanyard_clerk
  using (seal.is_opened(tenant_id) or tenant_id = seal.platform_tenant());
create policy opened on identity.token_family for all to lanyard_clerk
  using (seal.is_opened(tenant_id))
  with check (seal.is_opened(tenant_id));
create policy opened on identity.refresh_token for all to lanyard_clerk
  using (seal.is_opened(tenant_id))
  with check (seal.is_opened(tenant_id));
create policy clerk_reads on identity.role for select to lanyard_clerk using (true);
create policy clerk_reads on identity.permission for select to lanyard_clerk using (true);
create policy clerk_reads on identity.role_permission for select to lanyard_clerk using (true);
create policy opened on audit.event for insert to lanyard_clerk
  with check (seal.is_opened(tenant_id));

grant select on tenancy.tenant, identity.membership, identity.membership_role,
  identity.session_policy, identity.tenant_session, identity.session, identity.account,
  identity.client, identity.client_secret, identity.token_family, identity.refresh_token,
  identity.role, identity.permission, identity.role_permission to lanyard_clerk;
grant update (current_generation, redeemed_at, redeemed_network_digest, redeemed_agent_digest,
  access_ends_at, lockstep_earlier, lockstep_current, sealed_successor, seal_key_id, sealed_until)
  on identity.token_family to lanyard_clerk;
grant insert on identity.refresh_token, audit.event to lanyard_clerk;

-- Has the seal check every context, of class `grant` and for a tenant, and opens those tenants to
-- the clerk until the transaction ends.
create function clerk.open(contexts text[]) returns seal.content[]
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  context text;
  entered seal.content;
  checked seal.content[] := '{}';
  tenants text := '';
begin
  foreach context in array contexts loop
    entered := seal.check(context);
    if (entered.class = 'grant' and entered.tenant is not null) is not true then
      raise exception 'a grant needs a context of its class' using errcode = '42501';
    end if;
    checked := checked || entered;
    tenants := tenants || ' ' || entered.tenant::text;
  end loop;
  tenants := set_config('lanyard.opened', tenants, true);
  return checked;
end $$;

-- All that rotations are judged by, as one snapshot shows it: the n-th row for the n-th context,
-- family and generation. No row: the family, its client or its session is not there to be seen, and
-- the slower way says why.
--
-- `mark` names the versions of the rows that the judgment rests on: clerk.rotate must find the same.
-- Planned once, by the indexes, whatever the tables have grown to meanwhile.
create function clerk.rotation_facts(
  contexts text[], families uuid[], presented bigint[], at_instant timestamptz
) returns table (
  n bigint, client_id text, account_id uuid, subject_id uuid, session_id uuid, scopes text[],
  audience text, key_thumbprint bytea, absolute_end_at timestamptz, current_generation bigint,
  current_is_used boolean, redeemed_at timestamptz, redeemed_network_digest bytea,
  redeemed_agent_digest bytea, access_ends_at timestamptz, lockstep_earlier smallint,
  lockstep_current boolean, sealed_successor bytea, seal_key_id integer, ended_at timestamptz,
  end_reason text, token_digest bytea,
  client_version text, client_secrets bytea[],
  sid uuid, auth_time timestamptz, opened_at timestamptz, tenant_amr text[],
  device_label text, session_epoch integer, amr text[], authenticated_at timestamptz, proved_at timestamptz,
  factor_proved_at timestamptz, graced_at timestamptz, active_at timestamptz, silences jsonb, session_is_ended boolean,
  account_is_active boolean, account_epoch integer,
  membership_is_active boolean, tenant_is_active boolean,
  display_name text, login text, roles text[], role_scopes text[],
  idle_seconds integer, absolute_seconds integer, mark text
) language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off
set enable_mergejoin = off set jit = off as $$
declare
  entered constant seal.content[] := clerk.open(contexts);
begin
  return query
    select i.n, f.client_id, f.account_id, f.subject_id, f.session_id, f.scopes, f.audience,
      f.key_thumbprint, f.absolute_end_at, f.current_generation, f.current_is_used,
      f.redeemed_at, f.redeemed_network_digest, f.redeemed_agent_digest, f.access_ends_at,
      f.lockstep_earlier, f.lockstep_current, f.sealed_successor, f.seal_key_id, f.ended_at,
      f.end_reason, t.token_digest,
      c.xmin::text, array(
        select k.secret_digest from identity.client_secret k
        where k.tenant_id = c.tenant_id and k.client_id = c.client_id
          and (k.expires_at is null or k.expires_at > at_instant)),
      o.sid, o.auth_time, o.opened_at, o.amr,
      s.device_label, s.password_epoch, s.amr, s.authenticated_at, s.proved_at, s.factor_proved_at,
      s.graced_at, s.active_at, s.silences,
      s.ended_at is not null,
      a.status = 'active', a.password_epoch, m.status = 'active', d.status = 'active',
      m.display_name, a.login, r.roles, array(
        select distinct y.scope
        from identity.role_permission x
        join identity.permission y on y.permission = x.permission
        where x.role = any (r.roles)
        order by y.scope),
      least(r.idle_seconds, l.idle_seconds), least(r.absolute_seconds, l.absolute_seconds),
      concat_ws(' ', o.xmin, s.xmin, a.xmin, m.xmin, d.xmin, r.roles)
    from rows from (unnest(entered), unnest(families), unnest(presented)) with ordinality
      as i (class, tenant, account, subject, actor, locator, purpose, mode, family, generation, n)
    join identity.token_family f on f.tenant_id = i.tenant and f.family_id = i.family
    join identity.tenant_session o on o.tenant_id = i.tenant and o.session_id = f.session_id
    join identity.session s on s.session_id = f.session_id
    join identity.account a on a.account_id = f.account_id
    join identity.membership m on m.tenant_id = i.tenant and m.subject_id = f.subject_id
    join tenancy.tenant d on d.tenant_id = i.tenant
    join identity.client c on c.client_id = f.client_id
      and c.tenant_id = any (array[i.tenant, seal.platform_tenant()])
    cross join lateral (
      select coalesce(array_agg(x.role order by x.role), '{}') as roles,
        min(y.idle_seconds) as idle_seconds, min(y.absolute_seconds) as absolute_seconds
      from identity.membership_role x
      join identity.role y on y.role = x.role
      where x.tenant_id = i.tenant and x.subject_id = f.subject_id
    ) r
    cross join lateral (
      select min(p.idle_seconds) as idle_seconds, min(p.absolute_seconds) as absolute_seconds
      from identity.session_policy p
      where p.tenant_id = i.tenant
        and (p.applies_to = 'tenant'
          or (p.applies_to = 'app' and p.name = c.app)
          or (p.applies_to = 'role' and p.name = any (r.roles)))
    ) l
    left join identity.refresh_token t
      on t.tenant_id = i.tenant and t.family_id = i.family and t.generation = i.generation;
end $$;

-- Claims generations for their successors, each with the successor's digest and the event; durable
-- when the statement returns. Gives the numbers of those that were claimed. Another one's family has
-- moved on, has ended or is in somebody's hands, or something that its judgment rested on has
-- changed: of it nothing was written.
create function clerk.rotate(
  contexts text[], families uuid[], sessions uuid[], marks text[], successors bigint[],
  at_instants timestamptz[], network_digests bytea[], agent_digests bytea[],
  access_untils timestamptz[], earlier_in_lockstep smallint[], sealed_copies bytea[],
  sealed_by integer[], sealed_untils timestamptz[], successor_digests bytea[], event_ids uuid[],
  event_details jsonb[], event_macs bytea[]
) returns bigint[] language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off
set enable_mergejoin = off set jit = off as $$
declare
  entered constant seal.content[] := clerk.open(contexts);
  held bigint[];
  claimed bigint[];
begin
  held := array(
    select i.n
    from rows from (unnest(entered), unnest(families), unnest(sessions), unnest(successors))
      with ordinality as i (class, tenant, account, subject, actor, locator, purpose, mode, family,
        session, successor, n)
    join identity.token_family f on f.tenant_id = i.tenant and f.family_id = i.family
    where f.current_generation = i.successor - 1 and not f.current_is_used
      and f.ended_at is null and f.account_id = i.account and f.subject_id = i.subject
      and f.session_id = i.session
    for no key update of f skip locked);
  -- Of one token shown many times one is the first.
  held := array(select min(h.n) from unnest(held) h (n) group by families[h.n]);
  -- A statement of its own sees what was committed before the rows were held: nothing that has
  -- ended by then is outrun.
  with judged as materialized (
    select i.*
    from rows from (unnest(entered), unnest(families), unnest(sessions), unnest(marks),
        unnest(successors), unnest(at_instants), unnest(network_digests), unnest(agent_digests),
        unnest(access_untils), unnest(earlier_in_lockstep), unnest(sealed_copies),
        unnest(sealed_by), unnest(sealed_untils), unnest(successor_digests), unnest(event_ids),
        unnest(event_details), unnest(event_macs))
      with ordinality as i (class, tenant, account, subject, actor, locator, purpose, mode, family,
        session, mark, successor, at_instant, network_digest, agent_digest, access_until, earlier,
        sealed_copy, sealed_by, sealed_until, successor_digest, event_id, detail, mac, n)
    join identity.tenant_session o on o.tenant_id = i.tenant and o.session_id = i.session
    join identity.session s on s.session_id = i.session
    join identity.account a on a.account_id = i.account
    join identity.membership m on m.tenant_id = i.tenant and m.subject_id = i.subject
    join tenancy.tenant d on d.tenant_id = i.tenant
    where i.n = any (held)
      and i.mark = concat_ws(' ', o.xmin, s.xmin, a.xmin, m.xmin, d.xmin, array(
        select x.role from identity.membership_role x
        where x.tenant_id = i.tenant and x.subject_id = i.subject
        order by x.role))
  ), rotated as (
    update identity.token_family f
    set current_generation = j.successor, redeemed_at = j.at_instant,
      redeemed_network_digest = j.network_digest, redeemed_agent_digest = j.agent_digest,
      access_ends_at = j.access_until, lockstep_earlier = j.earlier, lockstep_current = false,
      sealed_successor = j.sealed_copy, seal_key_id = j.sealed_by, sealed_until = j.sealed_until
    from judged j
    where f.tenant_id = j.tenant and f.family_id = j.family
      and f.current_generation = j.successor - 1
    returning j.n
  ), issued as (
    insert into identity.refresh_token (tenant_id, family_id, generation, token_digest, issued_at)
    select j.tenant, j.family, j.successor, j.successor_digest, j.at_instant from judged j
  ), recorded as (
    insert into audit.event (tenant_id, event_id, type, class, account_id, subject_id, actor_id,
      occurred_at, recorded_at, detail, mac)
    select j.tenant, j.event_id, 'refresh.rotated', j.class, j.account, j.subject, j.actor,
      j.at_instant, clock_timestamp(), j.detail, j.mac
    from judged j
  )
  select array_agg(rotated.n) into claimed from rotated;
  return coalesce(claimed, '{}');
end $$;

grant execute on function
  clerk.rotation_facts(text[], uuid[], bigint[], timestamptz),
  clerk.rotate(text[], uuid[], uuid[], text[], bigint[], timestamptz[], bytea[], bytea[],
    timestamptz[], smallint[], bytea[], integer[], timestamptz[], bytea[], uuid[], jsonb[], bytea[])
  to lanyard_identity;
grant create on schema clerk to lanyard_clerk;
alter function clerk.open(text[]) owner to lanyard_clerk;
alter function clerk.rotation_facts(text[], uuid[], bigint[], timestamptz) owner to lanyard_clerk;
alter function clerk.rotate(text[], uuid[], uuid[], text[], bigint[], timestamptz[], bytea[],
  bytea[], timestamptz[], smallint[], bytea[], integer[], timestamptz[], bytea[], uuid[], jsonb[],
  bytea[]) owner to lanyard_clerk;
revoke create on schema clerk from lanyard_clerk;

-- A rotation writes its family's row in place (a heap-only update): no index holds a column that it
-- changes. A client that proves itself keeps one `sealed_until` for good, the family's end; and the
-- index's predicate is of that column alone, since one over `sealed_successor` would count as
-- changed each time.
drop index identity.token_family_by_sealed_until;
create index token_family_by_sealed_until on identity.token_family (sealed_until)
  where sealed_until is not null;
alter table identity.token_family set (fillfactor = 80);

-- The condition is asked without a call; the function says no.
drop trigger token_family_only_ages on identity.token_family;
create or replace function identity.token_family_only_ages() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if old.ended_at is not null
      and (new.ended_at, new.end_reason) is distinct from (old.ended_at, old.end_reason) then
    raise exception 'an ended family stays as it ended' using errcode = '23514',
      constraint = 'token_family_end_is_final';
  end if;
  raise exception 'a family grows by one generation' using errcode = '23514',
    constraint = 'token_family_grows_by_one';
end $$;
create trigger token_family_only_ages before update on identity.token_family
  for each row when (
    (old.ended_at is not null
      and (new.ended_at, new.end_reason) is distinct from (old.ended_at, old.end_reason))
    or new.current_generation not in (old.current_generation, old.current_generation + 1)
    or (old.ended_at is not null and new.current_generation <> old.current_generation)
  )
  execute function identity.token_family_only_ages();

-- audit.append is the one door for every role that serves, and clerk.rotate names its type: both
-- ask the catalog or are part of it. The foreign key locked one row of the catalog at every event
-- there is, for all tenants.
alter table audit.event drop constraint event_type_fkey;
