-- Second factors: the devices that make codes, codes for the day when no device is at hand, and who
-- must have one. The previous release knows none of this: it goes on asking for the password
-- alone, so a requirement holds from the moment when its last server has ended.

-- A device that makes time-based codes (RFC 6238). Unconfirmed until its first right code.
create table identity.totp (
  totp_id uuid primary key,
  account_id uuid not null references identity.account,
  name text not null check (length(name) between 1 and 60),
  secret_sealed bytea not null check (octet_length(secret_sealed) <= 256),
  -- The session that shows the secret; only it may confirm.
  begun_in uuid, -- null: made by the demo's seed
  created_at timestamptz not null,
  confirmed_at timestamptz, -- null: not yet; it proves nothing
  -- The last accepted step: it only rises, so no code is taken twice (RFC 6238 §5.2).
  last_step bigint not null default 0,
  last_used_at timestamptz -- null: never
);
create index totp_by_account on identity.totp (account_id);
-- One enrollment under way for each account.
create unique index totp_one_unconfirmed on identity.totp (account_id)
  where confirmed_at is null;
alter table identity.totp enable row level security;
alter table identity.totp force row level security;

-- Ten at a time, each good once.
create table identity.recovery_code (
  account_id uuid not null references identity.account,
  code_digest bytea not null check (octet_length(code_digest) = 32),
  created_at timestamptz not null,
  spent_at timestamptz, -- null: still good
  primary key (account_id, code_digest)
);
alter table identity.recovery_code enable row level security;
alter table identity.recovery_code force row level security;

-- Clinics that ask a second factor of everybody; a row is a yes. Roles ask by themselves.
create table identity.factor_policy (
  tenant_id uuid not null references tenancy.tenant,
  applies_to text not null check (applies_to = 'everybody'),
  required_at timestamptz not null,
  primary key (tenant_id, applies_to)
);
alter table identity.factor_policy enable row level security;
alter table identity.factor_policy force row level security;

-- Staff always prove a second factor; no clinic can weaken that.
alter table identity.role add column requires_factor boolean not null default true;
update identity.role set requires_factor = false where role = 'patient';

-- The one sign-in that may go on without: null while it is still to be had.
alter table identity.account add column factor_grace_spent_at timestamptz;

-- Null: only the password was proved in this session.
alter table identity.session add column factor_proved_at timestamptz;
-- Null: the account's grace was not used for this session.
alter table identity.session add column graced_at timestamptz;
-- What this clinic's tokens say of how she signed in. The release before knew passwords alone.
alter table identity.tenant_session add column amr text[] not null default '{pwd}';

create policy identity_works on identity.totp for all to lanyard_identity
  using (account_id = seal.person() or seal.job() = 'administer_accounts')
  with check (account_id = seal.person() or seal.job() = 'administer_accounts');
grant select, insert, update (name, confirmed_at, last_step, last_used_at), delete
  on identity.totp to lanyard_identity;

create policy identity_works on identity.recovery_code for all to lanyard_identity
  using (account_id = seal.person() or seal.job() = 'administer_accounts')
  with check (account_id = seal.person() or seal.job() = 'administer_accounts');
grant select, insert, update (spent_at), delete on identity.recovery_code to lanyard_identity;

create policy identity_works on identity.factor_policy for all to lanyard_identity
  using (
    tenant_id = seal.tenant()
    or seal.job_for(tenant_id) = 'administer_accounts'
    or exists (
      select from identity.membership m
      where m.tenant_id = factor_policy.tenant_id and m.account_id = seal.person()
    )
  )
  with check (seal.job_for(tenant_id) = 'administer_accounts');
-- DELETE asks only who may see a row; so it has a condition of its own.
create policy deleted_by_job on identity.factor_policy as restrictive for delete
  to lanyard_identity using (seal.job_for(tenant_id) = 'administer_accounts');
grant select, insert, delete on identity.factor_policy to lanyard_identity;

grant update (factor_grace_spent_at) on identity.account to lanyard_identity;
grant update (factor_proved_at, graced_at) on identity.session to lanyard_identity;
grant update (amr) on identity.tenant_session to lanyard_identity;

insert into audit.event_type (type, plane) values
  ('factor.added', 'identity'),
  ('factor.grace_used', 'identity'),
  ('factor.policy_changed', 'identity'),
  ('factor.proved', 'identity'),
  ('factor.refused', 'identity'),
  ('factor.removed', 'identity'),
  ('factor.reset', 'identity'),
  ('factor.throttled', 'identity'),
  ('recovery_code.made', 'identity'),
  ('recovery_code.used', 'identity');
