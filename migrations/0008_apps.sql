-- What our own relying parties keep: their sessions, sign-ins under way, and how they prove
-- themselves to the issuer. Each row is seen only by the claim of its own id; a session stands
-- before any tenant, since which clinic it is for is inside the ciphertext. The identity plane
-- knows nothing of this schema, and this plane nothing of identity.

create table apps.session (
  session_id uuid primary key,
  app text not null check (app in ('patient', 'clinician', 'console')),
  secret_digest bytea not null check (octet_length(secret_digest) = 32),
  sealed bytea not null check (octet_length(sealed) <= 32768), -- tokens, person, clinic
  -- Rises with each answer of the token endpoint, so that a late writer changes nothing.
  version integer not null default 0,
  -- Who refreshes; null: nobody. A lease ends by itself if its holder was killed.
  leased_until timestamptz,
  -- The clocks as the issuer told them, and the person's last act here, which the issuer may not
  -- have heard of yet.
  told_at timestamptz not null,
  idle_ends_at timestamptz not null,
  session_ends_at timestamptz not null,
  idle_limit_seconds integer not null check (idle_limit_seconds between 1 and 86400),
  active_at timestamptz not null,
  created_at timestamptz not null,
  ended_at timestamptz,
  end_reason text check (end_reason in ('signed_out', 'idle', 'expired', 'elsewhere')),
  constraint app_session_ends_for_a_reason check ((end_reason is null) = (ended_at is null))
);
create index app_session_by_end on apps.session (session_ends_at);
alter table apps.session enable row level security;
alter table apps.session force row level security;

-- A sign-in under way in one browser, spent by its callback.
create table apps.login (
  login_id uuid primary key,
  state_digest bytea not null check (octet_length(state_digest) = 32),
  sealed bytea not null check (octet_length(sealed) <= 4096), -- nonce, PKCE verifier, host
  created_at timestamptz not null,
  expires_at timestamptz not null,
  spent_at timestamptz
);
create index app_login_by_end on apps.login (expires_at);
alter table apps.login enable row level security;
alter table apps.login force row level security;

-- Each app's client id and secret, ciphertext under the master key.
create table apps.credential (
  credential_id uuid primary key, -- a keyed digest of what it is for
  sealed bytea not null check (octet_length(sealed) <= 1024),
  created_at timestamptz not null
);
alter table apps.credential enable row level security;
alter table apps.credential force row level security;

create policy own_session on apps.session for all to lanyard_apps
  using (session_id = seal.claimed())
  with check (session_id = seal.claimed());
create policy own_login on apps.login for all to lanyard_apps
  using (login_id = seal.claimed())
  with check (login_id = seal.claimed());
create policy own_credential on apps.credential for all to lanyard_apps
  using (credential_id = seal.claimed())
  with check (credential_id = seal.claimed());
grant select, insert, update (sealed, version, leased_until, told_at, idle_ends_at,
  session_ends_at, idle_limit_seconds, active_at, ended_at, end_reason)
  on apps.session to lanyard_apps;
grant select, insert, update (spent_at) on apps.login to lanyard_apps;
grant select, insert, update (sealed) on apps.credential to lanyard_apps;

-- Forgets what nobody can use any more, in real time; sees nothing else.
create policy swept on apps.session for select to lanyard_owner
  using (session_ends_at < clock_timestamp() - interval '1 day');
create policy sweep on apps.session for delete to lanyard_owner
  using (session_ends_at < clock_timestamp() - interval '1 day');
create policy swept on apps.login for select to lanyard_owner
  using (expires_at < clock_timestamp() - interval '1 hour');
create policy sweep on apps.login for delete to lanyard_owner
  using (expires_at < clock_timestamp() - interval '1 hour');
create function apps.sweep() returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  delete from apps.session s where s.session_ends_at < clock_timestamp() - interval '1 day';
  delete from apps.login l where l.expires_at < clock_timestamp() - interval '1 hour';
$$;
revoke execute on function apps.sweep() from public;
grant execute on function apps.sweep() to lanyard_apps;
