-- One SSO session a browser and account. Two clocks, both absolute facts: active_at, when the
-- person last did something, and authenticated_at. The limits are policy, looked up at each use.

create table identity.session (
  session_id uuid primary key,
  account_id uuid not null references identity.account,
  secret_digest bytea not null check (octet_length(secret_digest) = 32),
  password_epoch integer not null,
  amr text[] not null,
  authenticated_at timestamptz not null, -- the absolute clock
  proved_at timestamptz not null,        -- when she last proved who she is: moves with step-up
  active_at timestamptz not null,
  -- Past silences, [end, length] in unix seconds, those that a later longer one does not cover:
  -- a clinic whose limit one of them reached stays logged off, whatever is done after.
  silences jsonb not null default '[]',
  device_label text not null check (length(device_label) <= 120),
  agent_digest bytea not null,
  network_digest bytea not null,
  ended_at timestamptz,
  end_reason text check ((end_reason is null) = (ended_at is null))
);
create index session_by_account on identity.session (account_id) where ended_at is null;
alter table identity.session enable row level security;
alter table identity.session force row level security;

-- The session as one clinic sees it: `sid` and `auth_time` are the clinic's own, so that nothing
-- in two clinics' tokens joins them to one person.
create table identity.tenant_session (
  tenant_id uuid not null references tenancy.tenant,
  session_id uuid not null references identity.session,
  subject_id uuid not null,
  sid uuid not null,
  auth_time timestamptz not null,
  opened_at timestamptz not null,
  primary key (tenant_id, session_id),
  constraint tenant_session_sid_is_unique unique (tenant_id, sid),
  foreign key (tenant_id, subject_id) references identity.membership
);
create index tenant_session_by_session on identity.tenant_session (session_id);
alter table identity.tenant_session enable row level security;
alter table identity.tenant_session force row level security;

-- An authorization request under way in a browser, until it is answered.
create table identity.interaction (
  interaction_id uuid primary key,
  browser_digest bytea not null check (octet_length(browser_digest) = 32),
  request jsonb not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  finished_at timestamptz
);
alter table identity.interaction enable row level security;
alter table identity.interaction force row level security;

create table identity.authorization_code (
  tenant_id uuid not null references tenancy.tenant,
  code_id uuid not null,
  code_digest bytea not null check (octet_length(code_digest) = 32),
  client_id text not null,
  session_id uuid not null,
  subject_id uuid not null,
  account_id uuid not null,
  redirect_uri text not null,
  code_challenge text, -- null only for the plain oidc profile
  nonce text,
  scopes text[] not null,
  audience text not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  spent_at timestamptz,
  family_id uuid, -- what its first use gave, so that a second can end it
  primary key (tenant_id, code_id),
  foreign key (tenant_id, session_id) references identity.tenant_session
);
alter table identity.authorization_code enable row level security;
alter table identity.authorization_code force row level security;

-- Browsers and networks that a person has signed in from, as keyed digests: from a new browser she
-- is told, and guesses from elsewhere do not slow her down where she is known.
create table identity.known_place (
  account_id uuid not null references identity.account,
  kind text not null check (kind in ('browser', 'network')),
  digest bytea not null check (octet_length(digest) = 32),
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  primary key (account_id, kind, digest)
);
alter table identity.known_place enable row level security;
alter table identity.known_place force row level security;

-- Counters of guesses. Buckets are keyed digests of (what, who): reached by one function only.
create table identity.throttle (
  bucket bytea primary key check (octet_length(bucket) = 32),
  window_started_at timestamptz not null,
  hits integer not null
);
alter table identity.throttle enable row level security;
alter table identity.throttle force row level security;
create policy by_function on identity.throttle for all to lanyard_owner
  using (true) with check (true);

-- Counts one attempt before it is judged, so that parallel guesses can't outrun the count;
-- returns the hits in the present window and the second at which the window ends.
create function identity.throttle_hit(
  of_bucket bytea, at_instant timestamptz, window_length interval,
  out hits integer, out window_ends_at timestamptz
) language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into identity.throttle as t (bucket, window_started_at, hits)
    values (of_bucket, at_instant, 1)
  on conflict (bucket) do update set
    hits = case when t.window_started_at + window_length <= at_instant then 1 else t.hits + 1 end,
    window_started_at = case when t.window_started_at + window_length <= at_instant
      then at_instant else t.window_started_at end
  returning t.hits, t.window_started_at + window_length into hits, window_ends_at;
end $$;
create function identity.throttle_clear(of_bucket bytea) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  delete from identity.throttle t where t.bucket = of_bucket;
$$;
-- Takes one attempt back that turned out to be right: it is no guess.
create function identity.throttle_forgive(of_bucket bytea) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  update identity.throttle t set hits = greatest(t.hits - 1, 0) where t.bucket = of_bucket;
$$;
revoke execute on function identity.throttle_hit(bytea, timestamptz, interval) from public;
revoke execute on function identity.throttle_forgive(bytea) from public;
grant execute on function identity.throttle_forgive(bytea) to lanyard_identity;
revoke execute on function identity.throttle_clear(bytea) from public;
grant execute on function identity.throttle_hit(bytea, timestamptz, interval) to lanyard_identity;
grant execute on function identity.throttle_clear(bytea) to lanyard_identity;

-- Signing keys: private halves are ciphertext under the master key.
create table identity.signing_key (
  kid text primary key check (kid ~ '^[A-Za-z0-9_-]{8,64}$'),
  alg text not null check (alg in ('ES256', 'RS256', 'EdDSA')),
  standing text not null check (standing in ('next', 'current', 'previous', 'gone')),
  public_jwk jsonb not null,
  private_sealed bytea not null,
  created_at timestamptz not null
);
create unique index signing_key_one_current on identity.signing_key (alg)
  where standing = 'current';
alter table identity.signing_key enable row level security;
alter table identity.signing_key force row level security;

-- Policies

create policy identity_works on identity.session for all to lanyard_identity
  using (
    session_id = seal.claimed()
    or account_id = seal.person()
    or exists (
      select from identity.tenant_session t
      where t.tenant_id = seal.tenant() and t.session_id = session.session_id
    )
  )
  with check (
    account_id = seal.person()
    or exists (
      select from identity.tenant_session t
      where t.tenant_id = seal.tenant() and t.session_id = session.session_id
    )
  );
grant select, insert, update (secret_digest, password_epoch, amr, proved_at, active_at, silences,
  ended_at, end_reason) on identity.session to lanyard_identity;

create policy identity_works on identity.known_place for all to lanyard_identity
  using (
    account_id = seal.person()
    or exists (
      select from identity.account a
      where a.account_id = known_place.account_id and a.login_locator = seal.claimed()
    )
  )
  with check (account_id = seal.person());
grant select, insert, update (last_seen_at) on identity.known_place to lanyard_identity;

create policy identity_works on identity.tenant_session for all to lanyard_identity
  using (
    tenant_id = seal.tenant()
    or exists (
      select from identity.membership m
      where m.tenant_id = tenant_session.tenant_id
        and m.subject_id = tenant_session.subject_id
        and m.account_id = seal.person()
    )
  )
  with check (tenant_id = seal.tenant());
grant select, insert, update (auth_time) on identity.tenant_session to lanyard_identity;

create policy identity_works on identity.interaction for all to lanyard_identity
  using (interaction_id = seal.claimed())
  with check (interaction_id = seal.claimed());
grant select, insert, update (request, finished_at) on identity.interaction to lanyard_identity;

create policy identity_works on identity.authorization_code for all to lanyard_identity
  using (tenant_id = seal.tenant())
  with check (tenant_id = seal.tenant());
grant select, insert, update (spent_at, family_id) on identity.authorization_code
  to lanyard_identity;

create policy identity_works on identity.signing_key for all to lanyard_identity
  using (seal.job() = 'key_ring')
  with check (seal.job() = 'key_ring');
grant select, insert, update (standing) on identity.signing_key to lanyard_identity;
