-- What a clerk's function holds, it may look up (docs/decisions/0020-rotations-together.md).
--
-- The policies on sessions and accounts asked other tables whether some clinic that is opened knows
-- the row: for each row of each turn, and at the start of each statement. Now a function claims
-- those that the rows it has just held name, and the policies ask that alone. And a refresh reads
-- whether the member must have proved a second factor, so that a role or a rule that asks for one is
-- felt there and not only at the next authorization.
--
-- The previous release asks for the columns by name and finds all it knows.

alter policy opened on identity.session using (seal.is_claimed(session_id));
alter policy opened on identity.account using (seal.is_claimed(account_id));

drop function clerk.rotation_facts(text, uuid[], uuid[], bigint[], uuid[], text[], timestamptz);
drop function clerk.redemption_facts(text, uuid[], uuid[], uuid[], text[], timestamptz);

-- As before (0024), and whether the member must have proved a second factor.
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
  device_label text, session_epoch integer, amr text[], authenticated_at timestamptz,
  proved_at timestamptz, factor_proved_at timestamptz, graced_at timestamptz,
  active_at timestamptz, silences jsonb, session_is_ended boolean,
  account_is_active boolean, account_epoch integer,
  membership_is_active boolean, tenant_is_active boolean,
  display_name text, login text, roles text[], role_scopes text,
  requires_factor boolean, idle_seconds integer, absolute_seconds integer
) language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set join_collapse_limit = 1 set from_collapse_limit = 1
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set cpu_tuple_cost = 100 set cpu_index_tuple_cost = 100 set jit = off as $$
declare
  held bigint[];
begin
  perform clerk.open(context, tenants, '{}', '{}');
  select array_agg(g.n), set_config('lanyard.held', array_agg(g.family)::text, true),
    set_config('lanyard.claimed', (array_agg(g.session_id) || array_agg(g.account_id))::text, true)
  into held
  from (
    select i.n, i.family, f.session_id, f.account_id
    from unnest(tenants, families, presented) with ordinality as i (tenant, family, generation, n)
    join identity.token_family f on f.tenant_id = i.tenant and f.family_id = i.family
    where f.current_generation = i.generation and not f.current_is_used and f.ended_at is null
    for no key update of f skip locked
  ) g;
  -- Nothing held: both settings are empty.
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
      r.requires_factor or exists (
        select from identity.factor_policy p where p.tenant_id = i.tenant),
      r.idle_seconds, r.absolute_seconds
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
    cross join lateral clerk.roles_and_limits(i.tenant, f.subject_id, c.app) r
    where i.n = any (held);
end $$;

-- As before (0026).
create function clerk.redemption_facts(
  context text, tenants uuid[], codes uuid[], client_tenants uuid[], clients text[],
  at_instant timestamptz
) returns table (
  n bigint, code_digest bytea, client_id text, session_id uuid, subject_id uuid, account_id uuid,
  redirect_uri text, code_challenge text, nonce text, scopes text[], audience text,
  expires_at timestamptz, client_version text, client_secrets bytea[],
  sid uuid, auth_time timestamptz, opened_at timestamptz, tenant_amr text[],
  device_label text, session_epoch integer, amr text[], authenticated_at timestamptz,
  proved_at timestamptz, factor_proved_at timestamptz, graced_at timestamptz,
  active_at timestamptz, silences jsonb, session_is_ended boolean,
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
  select array_agg(g.n), set_config('lanyard.held', array_agg(g.code)::text, true),
    set_config('lanyard.claimed', (array_agg(g.session_id) || array_agg(g.account_id))::text, true)
  into held
  from (
    select i.n, i.code, c.session_id, c.account_id
    from unnest(tenants, codes) with ordinality as i (tenant, code, n)
    join identity.authorization_code c on c.tenant_id = i.tenant and c.code_id = i.code
    where c.spent_at is null
    for no key update of c skip locked
  ) g;
  -- A statement of its own, as in clerk.rotation_facts.
  return query
    select i.n, g.code_digest, g.client_id, g.session_id, g.subject_id, g.account_id,
      g.redirect_uri, g.code_challenge, g.nonce, g.scopes, g.audience, g.expires_at,
      c.xmin::text, array(
        select k.secret_digest from identity.client_secret k
        where k.tenant_id = c.tenant_id and k.client_id = c.client_id
          and (k.expires_at is null or k.expires_at > at_instant)),
      o.sid, o.auth_time, o.opened_at, o.amr,
      s.device_label, s.password_epoch, s.amr, s.authenticated_at, s.proved_at,
      s.factor_proved_at, s.graced_at, s.active_at, s.silences, s.ended_at is not null,
      a.status = 'active', a.password_epoch, m.status = 'active', d.status = 'active',
      m.display_name, a.login, r.roles, r.scopes, r.idle_seconds, r.absolute_seconds
    from unnest(tenants, codes, client_tenants, clients) with ordinality
      as i (tenant, code, client_tenant, client, n)
    join identity.authorization_code g on g.tenant_id = i.tenant and g.code_id = i.code
    join identity.client c on c.tenant_id = i.client_tenant and c.client_id = i.client
      and c.client_id = g.client_id
      and c.tenant_id = any (array[i.tenant, seal.platform_tenant()])
    join identity.tenant_session o on o.tenant_id = i.tenant and o.session_id = g.session_id
    join identity.session s on s.session_id = g.session_id
    join identity.account a on a.account_id = g.account_id
    join identity.membership m on m.tenant_id = i.tenant and m.subject_id = g.subject_id
    join tenancy.tenant d on d.tenant_id = i.tenant
    cross join lateral clerk.roles_and_limits(i.tenant, g.subject_id, c.app) r
    where i.n = any (held);
end $$;

grant execute on function
  clerk.rotation_facts(text, uuid[], uuid[], bigint[], uuid[], text[], timestamptz),
  clerk.redemption_facts(text, uuid[], uuid[], uuid[], text[], timestamptz)
  to lanyard_identity;
grant create on schema clerk to lanyard_clerk;
alter function clerk.rotation_facts(text, uuid[], uuid[], bigint[], uuid[], text[], timestamptz)
  owner to lanyard_clerk;
alter function clerk.redemption_facts(text, uuid[], uuid[], uuid[], text[], timestamptz)
  owner to lanyard_clerk;
revoke create on schema clerk from lanyard_clerk;
