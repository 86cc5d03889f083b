-- What people have allowed the apps of others, clinic by clinic.
--
-- The previous release knows no consent and gives codes without one; clients that it registers
-- meanwhile are other people's until somebody says otherwise, which is the safe side.

-- False: another's app, whose people are asked. The platform's own apps (`app` is not empty) are
-- first-party whatever this says.
alter table identity.client add column is_first_party boolean not null default false;

-- A subject's recorded yes to a client's scopes.
create table identity.consent (
  tenant_id uuid not null references tenancy.tenant,
  subject_id uuid not null,
  client_id text not null,
  -- When the client was registered: another one under the same id later has no part in it.
  client_created_at timestamptz not null,
  scopes text[] not null check (cardinality(scopes) > 0),
  first_given_at timestamptz not null,
  given_at timestamptz not null,
  last_used_at timestamptz not null,
  primary key (tenant_id, subject_id, client_id),
  foreign key (tenant_id, subject_id) references identity.membership
);
alter table identity.consent enable row level security;
alter table identity.consent force row level security;

-- The clinic's; given and taken back by the member herself alone.
create policy identity_works on identity.consent for all to lanyard_identity
  using (tenant_id = seal.tenant())
  with check (tenant_id = seal.tenant() and subject_id = seal.subject());
create policy withdrawn_by_the_member on identity.consent as restrictive for delete
  to lanyard_identity using (subject_id = seal.subject());
grant select, insert, delete,
  update (client_created_at, scopes, first_given_at, given_at, last_used_at)
  on identity.consent to lanyard_identity;

insert into audit.event_type (type, plane) values
  ('consent.given', 'identity'),
  ('consent.refused', 'identity'),
  ('consent.withdrawn', 'identity');
