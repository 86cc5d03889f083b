-- What a clinic ends, and what a resource server asks of a token
-- (docs/decisions/0026-introspection-and-endings.md).
--
-- A session is one person's and may be open at several clinics. `identity.tenant_session.ended_at`
-- ends it as one of them sees it; the others and the session itself go on. Whoever is let on by the
-- clerk's functions is not shown what has ended, so each of them takes the slower way, which says
-- why; none of them had to change.
--
-- The previous release does not know the column: its faster ways heed it, since the policy does,
-- and its slower ones refuse by the families, which end in the same transaction.

alter table identity.tenant_session
  add column ended_at timestamptz; -- null: as long as the session itself lasts
grant update (ended_at) on identity.tenant_session to lanyard_identity;
alter policy opened on identity.tenant_session
  using (seal.is_opened(tenant_id) and ended_at is null);

-- What no statement may undo.
create function identity.tenant_session_stays_ended() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if old.ended_at is not null and new.ended_at is distinct from old.ended_at then
    raise exception 'a session that a clinic has ended stays so' using errcode = '23514',
      constraint = 'tenant_session_end_is_final';
  end if;
  return new;
end $$;
create trigger tenant_session_stays_ended before update of ended_at on identity.tenant_session
  for each row execute function identity.tenant_session_stays_ended();

-- The instants at which a clinic ended everything: no token from before the last is good, a
-- service's neither, which hangs on no session. Nothing here is ever changed or taken back.
create table identity.sessions_end (
  tenant_id uuid not null references tenancy.tenant,
  order_id uuid not null,
  ended_at timestamptz not null,
  reason text not null check (reason ~ '^[a-z_]{1,40}$'),
  primary key (tenant_id, order_id)
);
alter table identity.sessions_end enable row level security;
alter table identity.sessions_end force row level security;
create policy identity_works on identity.sessions_end for all to lanyard_identity
  using (tenant_id = seal.tenant())
  with check (seal.job_for(tenant_id) = 'end_sessions');
grant select, insert on identity.sessions_end to lanyard_identity;

-- A sign-in that was judged before the end and is written after it has ended with the rest.
create function identity.tenant_session_heeds_end() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  select max(e.ended_at) into new.ended_at
    from identity.sessions_end e
    where e.tenant_id = new.tenant_id and e.ended_at >= new.opened_at;
  return new;
end $$;
create trigger tenant_session_heeds_end before insert on identity.tenant_session
  for each row execute function identity.tenant_session_heeds_end();

-- Whether the key of that name is published, as anybody can read at /jwks: asked where everything
-- else behind a token is. A function, so that nothing more of a key can be asked.
create policy by_function on identity.signing_key for select to lanyard_owner
  using (seal.class() = 'grant');
create function identity.is_published(key_name text) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (
    select from identity.signing_key k where k.kid = key_name and k.standing <> 'gone');
$$;
revoke execute on function identity.is_published(text) from public;
grant execute on function identity.is_published(text) to lanyard_identity;

insert into audit.event_type (type, plane) values
  ('token.revoked', 'identity'),
  ('tenant.sessions_ended', 'identity');
