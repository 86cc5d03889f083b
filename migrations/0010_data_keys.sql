-- Data keys: one for identity, from which everything that identity digests or
-- encrypts derives, and one for each clinic, for its columns about patients. Stored wrapped under
-- the master key; each row names the master key it is under, so that another can take its place
-- while servers serve. The previous release derives identity's key from the master key itself; a
-- database that it filled gets a row without ciphertext, and the first process that opens it
-- stores just that derived key, so both releases read the same rows.
create table identity.data_key (
  generation integer primary key check (generation > 0),
  -- Both null: derived from the master key, as the previous release does.
  master_key_id text check (master_key_id ~ '^[0-9a-f]{16}$'),
  wrapped bytea,
  created_at timestamptz not null,
  constraint data_key_names_its_master check ((wrapped is null) = (master_key_id is null))
);
-- A size and not a row: under FORCE the owner sees no row. Every database that was served or
-- administered has the platform's tenant.
insert into identity.data_key (generation, created_at)
  select 1, now() where pg_relation_size('tenancy.tenant') > 0;
alter table identity.data_key enable row level security;
alter table identity.data_key force row level security;
create policy identity_works on identity.data_key for all to lanyard_identity
  using (seal.job() = 'open_keys')
  with check (seal.job() = 'open_keys');
grant select, insert, update (master_key_id, wrapped) on identity.data_key to lanyard_identity;

create table tenancy.data_key (
  tenant_id uuid not null references tenancy.tenant,
  generation integer not null check (generation > 0),
  master_key_id text not null check (master_key_id ~ '^[0-9a-f]{16}$'),
  -- Null: destroyed, and with it everything under it.
  wrapped bytea,
  created_at timestamptz not null,
  destroyed_at timestamptz,
  primary key (tenant_id, generation),
  constraint data_key_is_there_or_destroyed check ((wrapped is null) = (destroyed_at is not null))
);
create index tenant_data_key_by_master on tenancy.data_key (master_key_id, tenant_id)
  where wrapped is not null;
alter table tenancy.data_key enable row level security;
alter table tenancy.data_key force row level security;
create policy own_tenant on tenancy.data_key for select to lanyard_tenant
  using (tenant_id = seal.tenant());
create policy platform_works on tenancy.data_key for all to lanyard_platform
  using (seal.job_for(tenant_id) in ('administer_tenants', 'open_keys'))
  with check (seal.job_for(tenant_id) in ('administer_tenants', 'open_keys'));
grant select on tenancy.data_key to lanyard_tenant;
grant select, insert, update (master_key_id, wrapped, destroyed_at) on tenancy.data_key
  to lanyard_platform;

-- Why the patient comes, in words: ciphertext under the clinic's key, bound to this row. Null:
-- nobody wrote one.
alter table visits.visit add column reason_sealed bytea
  check (octet_length(reason_sealed) between 29 and 4096);

-- What a restored database is known by: the epoch, and a count that only grows within it. A copy
-- of both lies with the master key, outside of the database.
create table identity.epoch (
  epoch integer primary key check (epoch > 0),
  checkpoint bigint not null check (checkpoint >= 0),
  began_at timestamptz not null
);
insert into identity.epoch (epoch, checkpoint, began_at) values (1, 0, now());
alter table identity.epoch enable row level security;
alter table identity.epoch force row level security;
create policy identity_works on identity.epoch for all to lanyard_identity
  using (seal.job() = 'open_keys')
  with check (seal.job() = 'open_keys');
grant select, insert, update (checkpoint) on identity.epoch to lanyard_identity;

insert into audit.event_type (type, plane) values
  ('tenant.data_destroyed', 'platform'),
  ('keys.rewrapped', 'identity');
