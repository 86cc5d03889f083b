-- One seal and one transaction for a bundle of rotations, and plans that can't go wrong
-- (docs/decisions/0020-rotations-together.md).
--
-- Before, each rotation of a bundle had a sealed context of its own, which the seal checked twice:
-- a third of what PostgreSQL spent on it. Now the bundle has one, of class `bundle`, which binds the
-- list of those that it is for by their digest. And what a rotation was judged by was read before
-- its family was held, and compared with what stood afterwards. Now the families are held first,
-- and the transaction goes on until what the rules say of them is written.
--
-- The planner was free in the order of joins: planned when the tables were nearly empty, it could
-- read a whole clinic's sessions for each token. Now the order is that of the text, and a row that
-- is looked at costs so much that each table is entered by its key, whatever it holds.
--
-- The previous release calls these functions by signatures that are gone; it then refreshes in the
-- slower way, and nothing is lost.

drop function clerk.rotate(text[], uuid[], uuid[], text[], bigint[], timestamptz[], bytea[],
  bytea[], timestamptz[], smallint[], bytea[], integer[], timestamptz[], bytea[], uuid[], jsonb[],
  bytea[]);
drop function clerk.rotation_facts(text[], uuid[], bigint[], timestamptz);
drop function clerk.open(text[]);

-- A family is found by its session without a walk through its clinic's.
drop index identity.token_family_by_session;
create index token_family_by_session on identity.token_family (session_id, tenant_id);

-- Families that stand side by side are rotated in one transaction: there is room for the next
-- version of each beside it, so that no index has to be told.
alter table identity.token_family set (fillfactor = 50);

-- The tables within the policies have policies of their own, which say what is opened.
drop policy opened on identity.session;
create policy opened on identity.session for select to lanyard_clerk
  using (
    exists (
      select from identity.tenant_session t where t.session_id = session.session_id offset 0
    )
  );
drop policy opened on identity.account;
create policy opened on identity.account for select to lanyard_clerk
  using (
    exists (
      select from identity.membership m where m.account_id = account.account_id offset 0
    )
  );

-- What a role's members may ask for, beside the role itself: the catalog changes with a release, and
-- is read with every token.
alter table identity.role add column scopes text[] not null default '{}';
create function identity.role_scopes_follow() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  update identity.role r set scopes = array(
    select distinct p.scope
    from identity.role_permission g join identity.permission p on p.permission = g.permission
    where g.role = r.role
    order by p.scope);
  return null;
end $$;
create trigger role_scopes_follow after insert or update or delete or truncate
  on identity.role_permission for each statement execute function identity.role_scopes_follow();
create trigger role_scopes_follow after insert or update or delete or truncate
  on identity.permission for each statement execute function identity.role_scopes_follow();
create trigger role_scopes_follow after insert
  on identity.role for each statement execute function identity.role_scopes_follow();
update identity.role_permission set role = role;
drop policy clerk_reads on identity.permission;
drop policy clerk_reads on identity.role_permission;
revoke select on identity.permission, identity.role_permission from lanyard_clerk;

-- Has the seal check the bundle's context and the list against it, and opens the list's tenants to
-- the clerk until the transaction ends.
create function clerk.open(context text, tenants uuid[], accounts uuid[], subjects uuid[])
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  entered constant seal.content := seal.check(context);
begin
  if (entered.class = 'bundle' and entered.purpose = encode(sha256(convert_to(
      concat(tenants::text, accounts::text, subjects::text), 'UTF8')), 'hex')) is not true then
    raise exception 'a bundle needs a context of its own' using errcode = '42501';
  end if;
  perform set_config('lanyard.opened', tenants::text, true);
end $$;

-- Holds the families whose newest generation is presented, until the transaction ends, and gives all
-- that rotations of them are judged by, as it stands when they are held: the n-th row for the n-th
-- tenant, family, generation and client. No row: it is not the newest one's, the family is in
-- somebody's hands, or something of it is not there to be seen; the slower way says which.
create function clerk.rotation_facts(
  context text, tenants uuid[], families uuid[], presented bigint[], client_tenants uuid[],
  clients text[], at_instant timestamptz
) returns table (
  n bigint, account_id uuid, subject_id uuid, session_id uuid, scopes text[],
  audience text, key_thumbprint bytea, absolute_end_at timestamptz, current_generation bigint,
  current_is_used boolean, redeemed_at timestamptz, redeemed_network_digest bytea,
  redeemed_agent_digest bytea, access_ends_at timestamptz, lockstep_earlier smallint,
  lockstep_current boolean, sealed_successor bytea, seal_key_id integer, ended_at timestamptz,
  end_reason text, token_digest bytea,
  client_id text, client_version text, client_secrets bytea[],
  sid uuid, auth_time timestamptz, opened_at timestamptz, tenant_amr text[],
  device_label text, session_epoch integer, amr text[], authenticated_at timestamptz, proved_at timestamptz,
  factor_proved_at timestamptz, graced_at timestamptz, active_at timestamptz, silences jsonb, session_is_ended boolean,
  account_is_active boolean, account_epoch integer,
  membership_is_active boolean, tenant_is_active boolean,
  display_name text, login text, roles text[], role_scopes text,
  idle_seconds integer, absolute_seconds integer
) language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set join_collapse_limit = 1 set from_collapse_limit = 1
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set cpu_tuple_cost = 100 set cpu_index_tuple_cost = 100 set jit = off as $$
declare
  held bigint[];
begin
  perform clerk.open(context, tenants, '{}', '{}');
  held := array(
    select i.n
    from unnest(tenants, families, presented) with ordinality as i (tenant, family, generation, n)
    join identity.token_family f on f.tenant_id = i.tenant and f.family_id = i.family
    where f.current_generation = i.generation and not f.current_is_used and f.ended_at is null
    for no key update of f skip locked);
  perform set_config('lanyard.held', array(
    select i.family from unnest(families) with ordinality as i (family, n) where i.n = any (held)
  )::text, true);
  -- A statement of its own sees what was committed before the families were held: nothing that has
  -- ended by then is outrun.
  return query
    select i.n, f.account_id, f.subject_id, f.session_id, f.scopes, f.audience,
      f.key_thumbprint, f.absolute_end_at, f.current_generation, f.current_is_used,
      f.redeemed_at, f.redeemed_network_digest, f.redeemed_agent_digest, f.access_ends_at,
      f.lockstep_earlier, f.lockstep_current, f.sealed_successor, f.seal_key_id, f.ended_at,
      f.end_reason, t.token_digest,
      c.client_id, c.xmin::text, array(
        select k.secret_digest from identity.client_secret k
        where k.tenant_id = c.tenant_id and k.client_id = c.client_id
          and (k.expires_at is null or k.expires_at > at_instant)),
      o.sid, o.auth_time, o.opened_at, o.amr,
      s.device_label, s.password_epoch, s.amr, s.authenticated_at, s.proved_at, s.factor_proved_at,
      s.graced_at, s.active_at, s.silences,
      s.ended_at is not null,
      a.status = 'active', a.password_epoch, m.status = 'active', d.status = 'active',
      m.display_name, a.login, r.roles, r.scopes,
      least(r.idle_seconds, l.idle_seconds), least(r.absolute_seconds, l.absolute_seconds)
    from unnest(tenants, families, presented, client_tenants, clients) with ordinality
      as i (tenant, family, generation, client_tenant, client, n)
    join identity.token_family f on f.tenant_id = i.tenant and f.family_id = i.family
    -- By what the family says alone: with less to go by, the planner takes less of the key.
    join identity.refresh_token t on t.tenant_id = f.tenant_id and t.family_id = f.family_id
      and t.generation = f.current_generation
    join identity.client c on c.tenant_id = i.client_tenant and c.client_id = i.client
      and c.client_id = f.client_id
      and c.tenant_id = any (array[i.tenant, seal.platform_tenant()])
    join identity.tenant_session o on o.tenant_id = i.tenant and o.session_id = f.session_id
    join identity.session s on s.session_id = f.session_id
    join identity.account a on a.account_id = f.account_id
    join identity.membership m on m.tenant_id = i.tenant and m.subject_id = f.subject_id
    join tenancy.tenant d on d.tenant_id = i.tenant
    cross join lateral (
      select coalesce(array_agg(x.role order by x.role), '{}') as roles,
        coalesce(string_agg(array_to_string(y.scopes, ' '), ' '), '') as scopes,
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
    where i.n = any (held);
end $$;

-- Claims generations for their successors, each with the successor's digest and the event. Gives the
-- numbers of those that were claimed: of another one, whose family clerk.rotation_facts does not hold
-- in this transaction or holds in another state, nothing was written.
create function clerk.rotate(
  context text, tenants uuid[], accounts uuid[], subjects uuid[],
  families uuid[], sessions uuid[], successors bigint[],
  at_instants timestamptz[], network_digests bytea[], agent_digests bytea[],
  access_untils timestamptz[], earlier_in_lockstep smallint[], sealed_copies bytea[],
  sealed_by integer[], sealed_untils timestamptz[], successor_digests bytea[], event_ids uuid[],
  event_details jsonb[], event_macs bytea[]
) returns bigint[] language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set join_collapse_limit = 1 set from_collapse_limit = 1
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set cpu_tuple_cost = 100 set cpu_index_tuple_cost = 100 set jit = off as $$
declare
  claimed bigint[];
begin
  perform clerk.open(context, tenants, accounts, subjects);
  with rotated as (
    update identity.token_family f
    set current_generation = i.successor, redeemed_at = i.at_instant,
      redeemed_network_digest = i.network_digest, redeemed_agent_digest = i.agent_digest,
      access_ends_at = i.access_until, lockstep_earlier = i.earlier, lockstep_current = false,
      sealed_successor = i.sealed_copy, seal_key_id = i.sealed_by, sealed_until = i.sealed_until
    from unnest(tenants, accounts, subjects, families, sessions, successors, at_instants,
        network_digests, agent_digests, access_untils, earlier_in_lockstep, sealed_copies,
        sealed_by, sealed_untils, successor_digests, event_ids, event_details, event_macs)
      with ordinality as i (tenant, account, subject, family, session, successor, at_instant,
        network_digest, agent_digest, access_until, earlier, sealed_copy, sealed_by, sealed_until,
        successor_digest, event_id, detail, mac, n)
    where f.tenant_id = i.tenant and f.family_id = i.family
      and position(i.family::text in current_setting('lanyard.held', true)) > 0
      and f.current_generation = i.successor - 1 and not f.current_is_used
      and f.ended_at is null and f.account_id = i.account and f.subject_id = i.subject
      and f.session_id = i.session
    returning i.*
  ), issued as (
    insert into identity.refresh_token (tenant_id, family_id, generation, token_digest, issued_at)
    select j.tenant, j.family, j.successor, j.successor_digest, j.at_instant from rotated j
  ), recorded as (
    insert into audit.event (tenant_id, event_id, type, class, account_id, subject_id, actor_id,
      occurred_at, recorded_at, detail, mac)
    select j.tenant, j.event_id, 'refresh.rotated', 'grant', j.account, j.subject, null,
      j.at_instant, clock_timestamp(), j.detail, j.mac
    from rotated j
  )
  select array_agg(rotated.n) into claimed from rotated;
  return coalesce(claimed, '{}');
end $$;

grant execute on function
  clerk.rotation_facts(text, uuid[], uuid[], bigint[], uuid[], text[], timestamptz),
  clerk.rotate(text, uuid[], uuid[], uuid[], uuid[], uuid[], bigint[], timestamptz[],
    bytea[], bytea[], timestamptz[], smallint[], bytea[], integer[], timestamptz[], bytea[],
    uuid[], jsonb[], bytea[])
  to lanyard_identity;
grant create on schema clerk to lanyard_clerk;
alter function clerk.open(text, uuid[], uuid[], uuid[]) owner to lanyard_clerk;
alter function clerk.rotation_facts(text, uuid[], uuid[], bigint[], uuid[], text[], timestamptz)
  owner to lanyard_clerk;
alter function clerk.rotate(text, uuid[], uuid[], uuid[], uuid[], uuid[], bigint[],
  timestamptz[], bytea[], bytea[], timestamptz[], smallint[], bytea[], integer[], timestamptz[],
  bytea[], uuid[], jsonb[], bytea[]) owner to lanyard_clerk;
revoke create on schema clerk from lanyard_clerk;
