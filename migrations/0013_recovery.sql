-- Forgotten passwords, and mail that may fail and is tried again.
--
-- The previous release does not know the new table, and takes messages of the outbox whatever the
-- new columns say: at worst it tries one earlier than it was due.

-- One row an account: a newer link takes the place of an older one, so that two never live.
create table identity.recovery_link (
  account_id uuid primary key references identity.account,
  link_id uuid not null,
  -- Over the secret, the account, the end, the password epoch and the address.
  secret_digest bytea not null check (octet_length(secret_digest) = 32),
  password_epoch integer not null,
  login_locator uuid not null,
  created_at timestamptz not null,
  expires_at timestamptz not null
    check (expires_at > created_at and expires_at <= created_at + interval '1 hour'),
  spent_at timestamptz, -- null: not used yet
  constraint recovery_link_id_is_unique unique (link_id)
);
alter table identity.recovery_link enable row level security;
alter table identity.recovery_link force row level security;

-- Who asks is not known yet: she names a login, and may write that account's row alone. What she
-- writes is worth nothing without the server's key. Who holds a link claims it by its id.
create policy identity_works on identity.recovery_link for all to lanyard_identity
  using (
    link_id = seal.claimed()
    or account_id = seal.person()
    or exists (
      select from identity.account a
      where a.account_id = recovery_link.account_id and a.login_locator = seal.claimed()
    )
  )
  with check (
    account_id = seal.person()
    or exists (
      select from identity.account a
      where a.account_id = recovery_link.account_id and a.login_locator = seal.claimed()
    )
  );
grant select, insert, update (link_id, secret_digest, password_epoch, login_locator, created_at,
  expires_at, spent_at) on identity.recovery_link to lanyard_identity;

-- A message that could not be delivered waits longer each time, and is given up in the end.
alter table outbox.message
  add column attempts smallint not null default 0 check (attempts >= 0),
  add column due_at timestamptz,       -- null: at once
  add column given_up_at timestamptz;  -- null: not yet
grant update (attempts, due_at, given_up_at, parameters) on outbox.message to lanyard_identity;
drop index outbox.message_undelivered;
create index message_undelivered on outbox.message (created_at)
  where delivered_at is null and given_up_at is null;

insert into audit.event_type (type, plane) values
  ('mail.given_up', 'identity'),
  ('recovery.requested', 'identity'),
  ('recovery.refused', 'identity'),
  ('recovery.completed', 'identity');
