-- What is forgotten, when, and by whom (docs/decisions/0021, docs/OPERATIONS.md "What is kept").
--
-- No serving role may delete a session, a code or a family: it may call these functions. They
-- belong to lanyard_retention, which can't log in, and whose policies show it what is dead by the
-- database's own clock and nothing else, under the job `purge` alone. A caller whose clock runs
-- ahead, or that asks for the future, deletes nothing that is alive.
--
-- Everything of a sign-in goes with it, children first: digests of refresh tokens, families,
-- codes, sessions of clinics, the session. So an old token is known for as long as anything that
-- it could end, and the tables that are written at every refresh need no index for this.
--
-- A batch is bounded by `most`, and skips what another replica has in its hands. What is locked is
-- deleted by its place (ctid): no plan reads a table for it.
-- `force_custom_plan`: a bound that the planner knows keeps every batch on its indexes.
--
-- The previous release calls apps.sweep and does not know the rest; it stays for that one.

grant usage on schema seal, identity, outbox, apps to lanyard_retention;

-- Whether a system job of that name goes on, for no tenant. A function of its own, since a planner
-- that knows nothing of it takes a third of the rows for its own, and keeps to the indexes.
create function seal.is_purging() returns boolean language plpgsql stable
security definer set search_path = pg_catalog, pg_temp as $$
declare content constant seal.content := seal.context();
begin
  return content.class = 'job' and content.tenant is null and content.purpose = 'purge';
end $$;
revoke execute on function seal.is_purging() from public;
grant execute on function seal.is_purging() to lanyard_retention;

create index session_by_sign_in on identity.session (authenticated_at);
create index authorization_code_by_session
  on identity.authorization_code (tenant_id, session_id);
create index interaction_by_end on identity.interaction (expires_at);
create index throttle_by_start on identity.throttle (window_started_at);
create index known_place_by_last_seen on identity.known_place (last_seen_at);
create index message_over on outbox.message (coalesce(delivered_at, given_up_at));

-- The policies: the least that any configuration keeps. `update` is granted for the row locks
-- alone: `with check (false)` lets nothing be changed.

-- No session lives longer than a day after its sign-in, nor does anything that hangs on it.
create policy dead on identity.session for all to lanyard_retention
  using (seal.is_purging() and authenticated_at < now() - interval '2 days')
  with check (false);
create policy dead on identity.tenant_session for all to lanyard_retention
  using (
    seal.is_purging()
    and exists (select from identity.session s where s.session_id = tenant_session.session_id)
  )
  with check (false);
create policy dead on identity.authorization_code for all to lanyard_retention
  using (seal.is_purging() and expires_at < now() - interval '12 hours')
  with check (false);
create policy dead on identity.token_family for all to lanyard_retention
  using (seal.is_purging() and absolute_end_at < now() - interval '12 hours')
  with check (false);
create policy dead on identity.refresh_token for all to lanyard_retention
  using (
    seal.is_purging()
    and exists (
      select from identity.token_family f
      where f.tenant_id = refresh_token.tenant_id and f.family_id = refresh_token.family_id
    )
  )
  with check (false);
create policy dead on identity.interaction for all to lanyard_retention
  using (seal.is_purging() and expires_at < now() - interval '1 hour')
  with check (false);
-- The longest window that can be configured is a day.
create policy dead on identity.throttle for all to lanyard_retention
  using (seal.is_purging() and window_started_at < now() - interval '1 day')
  with check (false);
create policy dead on identity.known_place for all to lanyard_retention
  using (seal.is_purging() and last_seen_at < now() - interval '30 days')
  with check (false);
create policy dead on outbox.message for all to lanyard_retention
  using (
    seal.is_purging() and coalesce(delivered_at, given_up_at) < now() - interval '1 day'
  )
  with check (false);
create policy dead on apps.session for all to lanyard_retention
  using (seal.is_purging() and session_ends_at < now() - interval '1 day')
  with check (false);
create policy dead on apps.login for all to lanyard_retention
  using (seal.is_purging() and expires_at < now() - interval '1 hour')
  with check (false);

grant select, delete, update (end_reason) on identity.session to lanyard_retention;
grant select, delete, update (auth_time) on identity.tenant_session to lanyard_retention;
grant select, delete, update (spent_at) on identity.authorization_code to lanyard_retention;
grant select, delete, update (end_reason) on identity.token_family to lanyard_retention;
grant select, delete, update (issued_at) on identity.refresh_token to lanyard_retention;
grant select, delete, update (finished_at) on identity.interaction to lanyard_retention;
grant select, delete, update (hits) on identity.throttle to lanyard_retention;
grant select, delete, update (last_seen_at) on identity.known_place to lanyard_retention;
grant select, delete, update (delivered_at) on outbox.message to lanyard_retention;
grant select, delete, update (ended_at) on apps.session to lanyard_retention;
grant select, delete, update (spent_at) on apps.login to lanyard_retention;

-- The functions: each deletes at most `most` rows that were over before `before`, and says how
-- many. The first four look at the `most` oldest sign-ins that are over.

create function identity.purge_refresh_tokens(before timestamptz, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare gone bigint;
begin
  with over as materialized (
    select s.session_id from identity.session s
    where s.authenticated_at < before order by s.authenticated_at limit most
  )
  delete from identity.refresh_token where ctid = any (array(
    select t.ctid
    from over o
    join identity.tenant_session c on c.session_id = o.session_id
    join identity.token_family f on f.tenant_id = c.tenant_id and f.session_id = c.session_id
    join identity.refresh_token t on t.tenant_id = f.tenant_id and t.family_id = f.family_id
    limit most for update of t skip locked
  ));
  get diagnostics gone = row_count;
  return gone;
end $$;

create function identity.purge_families(before timestamptz, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare gone bigint;
begin
  with over as materialized (
    select s.session_id from identity.session s
    where s.authenticated_at < before order by s.authenticated_at limit most
  )
  delete from identity.token_family where ctid = any (array(
    select f.ctid
    from over o
    join identity.tenant_session c on c.session_id = o.session_id
    join identity.token_family f on f.tenant_id = c.tenant_id and f.session_id = c.session_id
    where not exists (
      select from identity.refresh_token t
      where t.tenant_id = f.tenant_id and t.family_id = f.family_id
    )
    limit most for update of f skip locked
  ));
  get diagnostics gone = row_count;
  return gone;
end $$;

create function identity.purge_codes(before timestamptz, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare gone bigint;
begin
  with over as materialized (
    select s.session_id from identity.session s
    where s.authenticated_at < before order by s.authenticated_at limit most
  )
  delete from identity.authorization_code where ctid = any (array(
    select a.ctid
    from over o
    join identity.tenant_session c on c.session_id = o.session_id
    join identity.authorization_code a
      on a.tenant_id = c.tenant_id and a.session_id = c.session_id
    limit most for update of a skip locked
  ));
  get diagnostics gone = row_count;
  return gone;
end $$;

create function identity.purge_tenant_sessions(before timestamptz, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare gone bigint;
begin
  with over as materialized (
    select s.session_id from identity.session s
    where s.authenticated_at < before order by s.authenticated_at limit most
  )
  delete from identity.tenant_session where ctid = any (array(
    select c.ctid
    from over o
    join identity.tenant_session c on c.session_id = o.session_id
    where not exists (
      select from identity.token_family f
      where f.tenant_id = c.tenant_id and f.session_id = c.session_id
    ) and not exists (
      select from identity.authorization_code a
      where a.tenant_id = c.tenant_id and a.session_id = c.session_id
    )
    limit most for update of c skip locked
  ));
  get diagnostics gone = row_count;
  return gone;
end $$;

create function identity.purge_sessions(before timestamptz, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare gone bigint;
begin
  with over as materialized (
    select s.session_id, s.ctid as at from identity.session s
    where s.authenticated_at < before order by s.authenticated_at limit most
    for update skip locked
  )
  delete from identity.session where ctid = any (array(
    select o.at from over o
    where not exists (
      select from identity.tenant_session c where c.session_id = o.session_id
    )
  ));
  get diagnostics gone = row_count;
  return gone;
end $$;

create function identity.purge_interactions(before timestamptz, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare gone bigint;
begin
  delete from identity.interaction where ctid = any (array(
    select d.ctid from identity.interaction d
    where d.expires_at < before order by d.expires_at limit most for update skip locked
  ));
  get diagnostics gone = row_count;
  return gone;
end $$;

create function identity.purge_throttle(before timestamptz, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare gone bigint;
begin
  delete from identity.throttle where ctid = any (array(
    select d.ctid from identity.throttle d
    where d.window_started_at < before order by d.window_started_at limit most for update skip locked
  ));
  get diagnostics gone = row_count;
  return gone;
end $$;

create function identity.purge_known_places(before timestamptz, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare gone bigint;
begin
  delete from identity.known_place where ctid = any (array(
    select d.ctid from identity.known_place d
    where d.last_seen_at < before order by d.last_seen_at limit most for update skip locked
  ));
  get diagnostics gone = row_count;
  return gone;
end $$;

create function outbox.purge_messages(before timestamptz, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare gone bigint;
begin
  delete from outbox.message where ctid = any (array(
    select d.ctid from outbox.message d
    where coalesce(d.delivered_at, d.given_up_at) < before
    order by coalesce(d.delivered_at, d.given_up_at) limit most for update skip locked
  ));
  get diagnostics gone = row_count;
  return gone;
end $$;

create function apps.purge_sessions(before timestamptz, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare gone bigint;
begin
  delete from apps.session where ctid = any (array(
    select d.ctid from apps.session d
    where d.session_ends_at < before order by d.session_ends_at limit most for update skip locked
  ));
  get diagnostics gone = row_count;
  return gone;
end $$;

create function apps.purge_logins(before timestamptz, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare gone bigint;
begin
  delete from apps.login where ctid = any (array(
    select d.ctid from apps.login d
    where d.expires_at < before order by d.expires_at limit most for update skip locked
  ));
  get diagnostics gone = row_count;
  return gone;
end $$;

-- Each plane forgets its own. Granted before the change of owner, as for the views of 0002.
do $$
declare
  purger regprocedure;
begin
  grant create on schema identity, outbox, apps to lanyard_retention;
  for purger in
    select p.oid::regprocedure from pg_catalog.pg_proc p
    where p.pronamespace = any (array['identity', 'outbox', 'apps']::regnamespace[])
      and p.proname like 'purge\_%'
  loop
    execute format('revoke execute on function %s from public', purger);
    execute format('grant execute on function %s to %I', purger,
      case when purger::text like 'apps.%' then 'lanyard_apps' else 'lanyard_identity' end);
    execute format('alter function %s owner to lanyard_retention', purger);
  end loop;
  revoke create on schema identity, outbox, apps from lanyard_retention;
end $$;
