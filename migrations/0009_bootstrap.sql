-- How the platform gets its first administrator: a secret printed once by `lanyard migrate` or
-- `lanyard recover administrator`, good for one use within an hour. There is no default account.
-- The previous release does not know this table and loses nothing by it.
create table identity.bootstrap (
  bootstrap_locator uuid primary key,
  secret_digest bytea not null check (octet_length(secret_digest) = 32),
  created_at timestamptz not null,
  expires_at timestamptz not null
    check (expires_at > created_at and expires_at <= created_at + interval '1 hour'),
  spent_at timestamptz
);
alter table identity.bootstrap enable row level security;
alter table identity.bootstrap force row level security;

create policy identity_works on identity.bootstrap for all to lanyard_identity
  using (bootstrap_locator = seal.claimed() or seal.job() = 'administer_accounts')
  with check (seal.job() = 'administer_accounts');
grant select, insert, update (spent_at) on identity.bootstrap to lanyard_identity;
