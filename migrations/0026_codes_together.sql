-- A code that is given, and one that is redeemed, as two statements of one transaction each, for all
-- that arrive together (docs/decisions/0020-rotations-together.md).
--
-- Before, a code flow of a signed-in person was 28 statements of four transactions, and the seal
-- was asked some hundred times. Now the identity plane calls two functions of the clerk's at each
-- end of the flow: one reads what the rules ask for, one writes what they say.
--
-- The previous release calls none of this and loses nothing by it.

-- Whether a clerk's function has just had the seal vouch for this session, or found the account
-- whose it is. Worth nothing to any other role, as seal.is_opened.
create function seal.is_claimed(id uuid) returns boolean language sql stable
  return position(id::text in current_setting('lanyard.claimed', true)) > 0;
grant execute on function seal.is_claimed(uuid) to lanyard_clerk;

alter policy opened on identity.session
  using (
    seal.is_claimed(session_id)
    or exists (
      select from identity.tenant_session t where t.session_id = session.session_id offset 0
    )
  );
alter policy opened on identity.account
  using (
    seal.is_claimed(account_id)
    or exists (
      select from identity.membership m where m.account_id = account.account_id offset 0
    )
  );
alter policy opened on identity.membership
  using (seal.is_opened(tenant_id) or seal.is_claimed(account_id));
create policy opened on identity.totp for select to lanyard_clerk
  using (seal.is_claimed(account_id));
create policy opened on identity.factor_policy for select to lanyard_clerk
  using (seal.is_opened(tenant_id));
create policy opened on identity.authorization_code for all to lanyard_clerk
  using (seal.is_opened(tenant_id))
  with check (seal.is_opened(tenant_id));
grant select (account_id, confirmed_at) on identity.totp to lanyard_clerk;
grant select on identity.factor_policy to lanyard_clerk;
grant select, insert, update (spent_at, family_id) on identity.authorization_code to lanyard_clerk;
grant insert on identity.token_family to lanyard_clerk;

-- A family names its clinic and its member by their session there, which is that member's; and a
-- code its clinic. Asking for each by itself locked their rows once more for every code: the clinic's
-- one row beside everybody else's.
alter table identity.tenant_session
  add constraint tenant_session_is_a_members unique (tenant_id, session_id, subject_id);
alter table identity.authorization_code drop constraint authorization_code_tenant_id_fkey;
alter table identity.token_family
  drop constraint token_family_tenant_id_fkey,
  drop constraint token_family_account_id_fkey,
  drop constraint token_family_tenant_id_subject_id_fkey,
  drop constraint token_family_tenant_id_session_id_fkey,
  add constraint token_family_is_a_members foreign key (tenant_id, session_id, subject_id)
    references identity.tenant_session (tenant_id, session_id, subject_id);

-- A code is found by its key without a walk through its clinic's: planned while there were none, the
-- clinic's share of this index seemed as good.
drop index identity.authorization_code_by_session;
create index authorization_code_by_session
  on identity.authorization_code (session_id, tenant_id);

-- As before; and what an earlier call has claimed is claimed no longer.
drop function clerk.open(text, uuid[], uuid[], uuid[]);
create function clerk.open(
  context text, tenants uuid[], accounts uuid[], subjects uuid[]
) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  entered constant seal.content := seal.check(context);
begin
  if (entered.class = 'bundle' and entered.purpose = encode(sha256(convert_to(
      concat(tenants::text, accounts::text, subjects::text), 'UTF8')), 'hex')) is not true then
    raise exception 'a bundle needs a context of its own' using errcode = '42501';
  end if;
  perform set_config('lanyard.claimed', '', true);
  perform set_config('lanyard.opened', tenants::text, true);
end $$;

-- Has the seal check the context of claims and the list against it. Opens the sessions of the list,
-- their accounts, and the clinics that those are members of, to the clerk until the transaction ends.
create function clerk.open_claims(context text, sessions uuid[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off
set enable_mergejoin = off set cpu_tuple_cost = 100 set cpu_index_tuple_cost = 100 set jit = off as $$
declare
  entered constant seal.content := seal.check(context);
  accounts uuid[];
begin
  if (entered.class = 'claims' and entered.purpose
      = encode(sha256(convert_to(sessions::text, 'UTF8')), 'hex')) is not true then
    raise exception 'claims need a context of their own' using errcode = '42501';
  end if;
  perform set_config('lanyard.opened', '', true);
  perform set_config('lanyard.claimed', sessions::text, true);
  accounts := array(
    select s.account_id
    from unnest(sessions) i (session)
    join identity.session s on s.session_id = i.session);
  perform set_config('lanyard.claimed', (sessions || accounts)::text, true);
  perform set_config('lanyard.opened', array(
    select m.tenant_id
    from unnest(accounts) i (account)
    join identity.membership m on m.account_id = i.account
    where m.status = 'active')::text, true);
end $$;

-- What a member's roles come to, and the strictest limits of them, the clinic and the app.
create function clerk.roles_and_limits(tenant uuid, subject uuid, app text)
returns table (
  roles text[], scopes text, requires_factor boolean, idle_seconds integer, absolute_seconds integer
) language sql stable as $$
  select r.roles, r.scopes, r.requires_factor,
    least(r.idle_seconds, l.idle_seconds), least(r.absolute_seconds, l.absolute_seconds)
  from (
    select coalesce(array_agg(x.role order by x.role), '{}') as roles,
      coalesce(string_agg(array_to_string(y.scopes, ' '), ' '), '') as scopes,
      coalesce(bool_or(y.requires_factor), false) as requires_factor,
      min(y.idle_seconds) as idle_seconds, min(y.absolute_seconds) as absolute_seconds
    from identity.membership_role x
    join identity.role y on y.role = x.role
    where x.tenant_id = $1 and x.subject_id = $2
  ) r
  cross join lateral (
    select min(p.idle_seconds) as idle_seconds, min(p.absolute_seconds) as absolute_seconds
    from identity.session_policy p
    where p.tenant_id = $1
      and (p.applies_to = 'tenant'
        or (p.applies_to = 'app' and p.name = $3)
        or (p.applies_to = 'role' and p.name = any (r.roles)))
  ) l
$$;

-- All that an authorization request is judged by of a person who is signed in: the n-th row for the
-- n-th session, client and clinic that is asked for, by its id, by its name or not at all. No row:
-- there is no such session, not exactly one of her clinics fits, it has not seen the session or the
-- session's `amr` before, or something is not there to be seen; the slower way says which.
create function clerk.authorization_facts(
  context text, sessions uuid[], client_tenants uuid[], clients text[], wanted uuid[], slugs text[]
) returns table (
  n bigint, tenant_id uuid, account_id uuid, subject_id uuid, secret_digest bytea,
  client_version text,
  sid uuid, auth_time timestamptz, opened_at timestamptz, tenant_amr text[],
  device_label text, session_epoch integer, amr text[], authenticated_at timestamptz,
  proved_at timestamptz, factor_proved_at timestamptz, graced_at timestamptz,
  active_at timestamptz, silences jsonb, session_is_ended boolean,
  account_is_active boolean, account_epoch integer,
  has_device boolean, grace_is_left boolean, requires_factor boolean,
  idle_seconds integer, absolute_seconds integer
) language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set join_collapse_limit = 1 set from_collapse_limit = 1
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set cpu_tuple_cost = 100 set cpu_index_tuple_cost = 100 set jit = off as $$
begin
  perform clerk.open_claims(context, sessions);
  return query
    select i.n, m.tenant_id, s.account_id, m.subject_id, s.secret_digest, c.xmin::text,
      o.sid, o.auth_time, o.opened_at, o.amr,
      s.device_label, s.password_epoch, s.amr, s.authenticated_at, s.proved_at,
      s.factor_proved_at, s.graced_at, s.active_at, s.silences, s.ended_at is not null,
      a.status = 'active', a.password_epoch,
      exists (
        select from identity.totp d
        where d.account_id = s.account_id and d.confirmed_at is not null),
      a.factor_grace_spent_at is null,
      r.requires_factor or exists (
        select from identity.factor_policy f where f.tenant_id = m.tenant_id),
      r.idle_seconds, r.absolute_seconds
    from unnest(sessions, client_tenants, clients, wanted, slugs) with ordinality
      as i (session, client_tenant, client, wanted, slug, n)
    -- Ended ones too: asked for what lives alone, the planner reads the index of all that lives.
    join identity.session s on s.session_id = i.session
    join identity.account a on a.account_id = s.account_id
    cross join lateral (
      select min(x.tenant_id::text)::uuid as tenant_id, min(x.subject_id::text)::uuid as subject_id
      from identity.membership x
      join tenancy.tenant y on y.tenant_id = x.tenant_id
      where x.account_id = s.account_id and x.status = 'active' and y.status = 'active'
        and coalesce(x.tenant_id = i.wanted, true) and coalesce(y.slug = i.slug, true)
      having count(*) = 1
    ) m
    join identity.client c on c.tenant_id = i.client_tenant and c.client_id = i.client
      and c.tenant_id = any (array[m.tenant_id, seal.platform_tenant()])
    join identity.tenant_session o on o.tenant_id = m.tenant_id and o.session_id = i.session
      and o.subject_id = m.subject_id and o.amr = s.amr
    cross join lateral clerk.roles_and_limits(m.tenant_id, m.subject_id, c.app) r;
end $$;

-- Gives codes, each with its event.
create function clerk.give_codes(
  context text, tenants uuid[], accounts uuid[], subjects uuid[],
  sessions uuid[], codes uuid[], code_digests bytea[], clients text[], redirect_uris text[],
  challenges text[], nonces text[], scopes text[], audiences text[], at_instants timestamptz[],
  expiries timestamptz[], event_ids uuid[], event_details jsonb[], event_macs bytea[]
) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set jit = off as $$
begin
  perform clerk.open(context, tenants, accounts, subjects);
  with given as materialized (
    select i.*
    from unnest(tenants, accounts, subjects, sessions, codes, code_digests, clients,
        redirect_uris, challenges, nonces, scopes, audiences, at_instants, expiries, event_ids,
        event_details, event_macs)
      as i (tenant, account, subject, session, code, code_digest, client, redirect_uri, challenge,
        nonce, scopes, audience, at_instant, expires_at, event_id, detail, mac)
  ), issued as (
    insert into identity.authorization_code (tenant_id, code_id, code_digest, client_id,
      session_id, subject_id, account_id, redirect_uri, code_challenge, nonce, scopes, audience,
      created_at, expires_at)
    select g.tenant, g.code, g.code_digest, g.client, g.session, g.subject, g.account,
      g.redirect_uri, g.challenge, g.nonce, string_to_array(g.scopes, ' '), g.audience,
      g.at_instant, g.expires_at
    from given g
  )
  insert into audit.event (tenant_id, event_id, type, class, account_id, subject_id, actor_id,
    occurred_at, recorded_at, detail, mac)
  select g.tenant, g.event_id, 'authorize.granted', 'grant', g.account, g.subject, null,
    g.at_instant, clock_timestamp(), g.detail, g.mac
  from given g;
end $$;

-- Holds the codes that nobody has spent, until the transaction ends, and gives all that redeeming
-- them is judged by, as it stands when they are held: the n-th row for the n-th tenant, code and
-- client. No row: as of clerk.rotation_facts.
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
  held := array(
    select i.n
    from unnest(tenants, codes) with ordinality as i (tenant, code, n)
    join identity.authorization_code g on g.tenant_id = i.tenant and g.code_id = i.code
    where g.spent_at is null
    for no key update of g skip locked);
  perform set_config('lanyard.held', array(
    select i.code from unnest(codes) with ordinality as i (code, n) where i.n = any (held)
  )::text, true);
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

-- Spends codes, begins a family for each with the digest of its first token, and writes the event.
-- Gives the numbers of those that were spent: of another one, which clerk.redemption_facts does not
-- hold in this transaction, nothing was written.
create function clerk.redeem(
  context text, tenants uuid[], accounts uuid[], subjects uuid[],
  codes uuid[], sessions uuid[], families uuid[], absolute_ends timestamptz[],
  at_instants timestamptz[], token_digests bytea[], event_ids uuid[], event_details jsonb[],
  event_macs bytea[]
) returns bigint[] language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set join_collapse_limit = 1 set from_collapse_limit = 1
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set cpu_tuple_cost = 100 set cpu_index_tuple_cost = 100 set jit = off as $$
declare
  redeemed bigint[];
begin
  perform clerk.open(context, tenants, accounts, subjects);
  with spent as (
    update identity.authorization_code g set spent_at = i.at_instant, family_id = i.family
    from unnest(tenants, accounts, subjects, codes, sessions, families, absolute_ends,
        at_instants, token_digests, event_ids, event_details, event_macs)
      with ordinality as i (tenant, account, subject, code, session, family, absolute_end,
        at_instant, token_digest, event_id, detail, mac, n)
    where g.tenant_id = i.tenant and g.code_id = i.code
      and position(i.code::text in current_setting('lanyard.held', true)) > 0
      and g.spent_at is null
      -- Not `=`: the planner would take that for a key, and read all codes of the session.
      and (g.account_id, g.subject_id, g.session_id)
        is not distinct from (i.account, i.subject, i.session)
    returning i.*, g.client_id, g.scopes, g.audience
  ), begun as (
    insert into identity.token_family (tenant_id, family_id, client_id, account_id, subject_id,
      session_id, scopes, audience, started_at, absolute_end_at, current_generation)
    select j.tenant, j.family, j.client_id, j.account, j.subject, j.session, j.scopes,
      j.audience, j.at_instant, j.absolute_end, 0
    from spent j
  ), issued as (
    insert into identity.refresh_token (tenant_id, family_id, generation, token_digest, issued_at)
    select j.tenant, j.family, 0, j.token_digest, j.at_instant from spent j
  ), recorded as (
    insert into audit.event (tenant_id, event_id, type, class, account_id, subject_id, actor_id,
      occurred_at, recorded_at, detail, mac)
    select j.tenant, j.event_id, 'code.redeemed', 'grant', j.account, j.subject, null,
      j.at_instant, clock_timestamp(), j.detail, j.mac
    from spent j
  )
  select array_agg(spent.n) into redeemed from spent;
  return coalesce(redeemed, '{}');
end $$;

grant execute on function
  clerk.authorization_facts(text, uuid[], uuid[], text[], uuid[], text[]),
  clerk.give_codes(text, uuid[], uuid[], uuid[], uuid[], uuid[], bytea[], text[], text[], text[],
    text[], text[], text[], timestamptz[], timestamptz[], uuid[], jsonb[], bytea[]),
  clerk.redemption_facts(text, uuid[], uuid[], uuid[], text[], timestamptz),
  clerk.redeem(text, uuid[], uuid[], uuid[], uuid[], uuid[], uuid[], timestamptz[], timestamptz[],
    bytea[], uuid[], jsonb[], bytea[])
  to lanyard_identity;
grant create on schema clerk to lanyard_clerk;
alter function clerk.open(text, uuid[], uuid[], uuid[]) owner to lanyard_clerk;
alter function clerk.open_claims(text, uuid[]) owner to lanyard_clerk;
alter function clerk.roles_and_limits(uuid, uuid, text) owner to lanyard_clerk;
alter function clerk.authorization_facts(text, uuid[], uuid[], text[], uuid[], text[])
  owner to lanyard_clerk;
alter function clerk.give_codes(text, uuid[], uuid[], uuid[], uuid[], uuid[], bytea[], text[],
  text[], text[], text[], text[], text[], timestamptz[], timestamptz[], uuid[], jsonb[], bytea[])
  owner to lanyard_clerk;
alter function clerk.redemption_facts(text, uuid[], uuid[], uuid[], text[], timestamptz)
  owner to lanyard_clerk;
alter function clerk.redeem(text, uuid[], uuid[], uuid[], uuid[], uuid[], uuid[], timestamptz[],
  timestamptz[], bytea[], uuid[], jsonb[], bytea[]) owner to lanyard_clerk;
revoke create on schema clerk from lanyard_clerk;
