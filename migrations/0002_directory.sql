-- Clinics, and the people who may sign in to them. One account a human; a membership joins it to a
-- clinic with roles. Every table is under forced row-level security; keys begin with tenant_id.
--
-- The reserved platform tenant (…0001) owns the apps that all clinics share, the platform's staff
-- and the platform's log.

create table tenancy.tenant (
  tenant_id uuid primary key,
  slug text not null check (slug ~ '^[a-z][a-z0-9-]{1,38}[a-z0-9]$'),
  slug_locator uuid not null,
  name text not null check (length(name) between 1 and 120),
  accent text not null check (accent ~ '^[a-z]{2,20}$'),
  status text not null check (status in ('active', 'suspended')),
  created_at timestamptz not null,
  -- Written by the platform alone, so what they tell is told to the platform alone.
  constraint tenant_slug_is_unique unique (slug),
  constraint tenant_slug_locator_is_unique unique (slug_locator)
);
alter table tenancy.tenant enable row level security;
alter table tenancy.tenant force row level security;

create table identity.account (
  account_id uuid primary key,
  login text not null check (length(login) between 3 and 254),
  login_locator uuid not null,
  display_name text not null check (length(display_name) between 1 and 120),
  status text not null check (status in ('active', 'disabled')),
  -- Rises with each change of password: sessions and grants of an older epoch are dead.
  password_epoch integer not null default 0,
  created_at timestamptz not null,
  constraint account_login_is_unique unique (login),
  constraint account_login_locator_is_unique unique (login_locator)
);
alter table identity.account enable row level security;
alter table identity.account force row level security;

create table identity.password (
  account_id uuid primary key references identity.account,
  phc text not null check (phc like '$argon2id$%'),
  changed_at timestamptz not null
);
alter table identity.password enable row level security;
alter table identity.password force row level security;

create table identity.membership (
  tenant_id uuid not null references tenancy.tenant,
  subject_id uuid not null,
  account_id uuid not null references identity.account,
  display_name text not null check (length(display_name) between 1 and 120),
  status text not null check (status in ('active', 'suspended', 'ended')),
  created_at timestamptz not null,
  primary key (tenant_id, subject_id),
  constraint membership_once_a_tenant unique (tenant_id, account_id)
);
create index membership_by_account on identity.membership (account_id);
alter table identity.membership enable row level security;
alter table identity.membership force row level security;

-- Roles as data. No tenant: the same for all, written by migrations alone.
create table identity.role (
  role text primary key check (role ~ '^[a-z_]{3,30}$'),
  is_platform boolean not null,
  -- What the database sees of the tenant plane under this role (design: minimum necessary).
  access_class text not null,
  idle_seconds integer not null check (idle_seconds between 1 and 86400),
  absolute_seconds integer not null check (absolute_seconds >= idle_seconds)
);
create table identity.permission (
  permission text primary key check (permission ~ '^[a-z]+\.[a-z_]+\.[a-z_]+$'),
  scope text not null check (scope ~ '^[a-z]+:[a-z]+$')
);
create table identity.role_permission (
  role text not null references identity.role,
  permission text not null references identity.permission,
  primary key (role, permission)
);
create table identity.membership_role (
  tenant_id uuid not null,
  subject_id uuid not null,
  role text not null references identity.role,
  primary key (tenant_id, subject_id, role),
  foreign key (tenant_id, subject_id) references identity.membership
);
alter table identity.role enable row level security;
alter table identity.role force row level security;
alter table identity.permission enable row level security;
alter table identity.permission force row level security;
alter table identity.role_permission enable row level security;
alter table identity.role_permission force row level security;
alter table identity.membership_role enable row level security;
alter table identity.membership_role force row level security;

-- The lattice of clocks: the strictest of platform (configuration), role, tenant and app wins.
create table identity.session_policy (
  tenant_id uuid not null references tenancy.tenant,
  applies_to text not null check (applies_to in ('tenant', 'role', 'app')),
  name text not null, -- the role or the app; empty for the tenant as a whole
  idle_seconds integer not null check (idle_seconds between 1 and 86400),
  absolute_seconds integer not null check (absolute_seconds >= idle_seconds),
  primary key (tenant_id, applies_to, name)
);
alter table identity.session_policy enable row level security;
alter table identity.session_policy force row level security;

create table identity.client (
  tenant_id uuid not null references tenancy.tenant,
  client_id text not null check (client_id ~ '^[a-z0-9][a-z0-9_-]{2,62}$'),
  client_locator uuid not null,
  name text not null check (length(name) between 1 and 80),
  kind text not null check (kind in ('web', 'spa', 'native', 'service', 'resource')),
  profile text not null check (profile in ('strict', 'oidc', 'fapi2')),
  auth_method text not null
    check (auth_method in ('none', 'client_secret_basic', 'client_secret_post')),
  id_token_alg text not null check (id_token_alg in ('RS256', 'ES256', 'EdDSA')),
  redirect_uris text[] not null default '{}',
  post_logout_redirect_uris text[] not null default '{}',
  origins text[] not null default '{}',
  scopes text[] not null default '{}',
  audiences text[] not null default '{}', -- the first is the default `aud`
  app text not null default '',           -- patient, clinician, console: a row of the lattice
  status text not null check (status in ('active', 'disabled')),
  created_at timestamptz not null,
  primary key (tenant_id, client_id),
  -- Locators are keyed digests of ids that we make: nobody can aim one at another tenant's.
  constraint client_locator_is_unique unique (client_locator),
  constraint public_clients_have_no_secret
    check ((kind in ('spa', 'native')) = (auth_method = 'none')),
  constraint oidc_profile_is_for_confidential_clients
    check (profile = 'strict' or auth_method <> 'none')
);
alter table identity.client enable row level security;
alter table identity.client force row level security;

-- The browser origins of clients once more, by locator, so that a request from one can be told
-- from a stranger's before anything else is known of it (CORS).
create table identity.client_origin (
  tenant_id uuid not null,
  client_id text not null,
  origin_locator uuid not null,
  primary key (tenant_id, client_id, origin_locator),
  foreign key (tenant_id, client_id) references identity.client on delete cascade
);
create index client_origin_by_locator on identity.client_origin (origin_locator);
alter table identity.client_origin enable row level security;
alter table identity.client_origin force row level security;

create table identity.client_secret (
  tenant_id uuid not null,
  client_id text not null,
  secret_digest bytea not null check (octet_length(secret_digest) = 32),
  created_at timestamptz not null,
  expires_at timestamptz, -- null: until rotated
  primary key (tenant_id, client_id, secret_digest),
  foreign key (tenant_id, client_id) references identity.client on delete cascade
);
alter table identity.client_secret enable row level security;
alter table identity.client_secret force row level security;

-- The reserved platform tenant's id.
create function seal.platform_tenant() returns uuid language sql immutable
  return '00000000-0000-0000-0000-000000000001'::uuid;
grant execute on function seal.platform_tenant() to
  lanyard_identity, lanyard_tenant, lanyard_platform, lanyard_apps,
  lanyard_report, lanyard_directory;

-- Policies: one permissive policy for each table and role.

-- tenancy.tenant
create policy own_tenant on tenancy.tenant for select to lanyard_tenant
  using (tenant_id = seal.tenant());
create policy directory on tenancy.tenant for select to lanyard_directory
  using (
    tenant_id = seal.tenant()
    or slug_locator = seal.claimed()
    or exists (
      select from identity.membership m
      where m.tenant_id = tenant.tenant_id and m.account_id = seal.person()
    )
  );
create policy platform_works on tenancy.tenant for all to lanyard_platform
  using (seal.job_for(tenant_id) = 'administer_tenants')
  with check (seal.job_for(tenant_id) = 'administer_tenants');
grant select on tenancy.tenant to lanyard_tenant, lanyard_directory;
grant select, insert, update (name, accent, status) on tenancy.tenant to lanyard_platform;
grant usage on schema tenancy to lanyard_platform;

-- identity.account: the person herself, the one who presents the login, or a member's clinic.
create policy identity_works on identity.account for all to lanyard_identity
  using (
    account_id = seal.person()
    or login_locator = seal.claimed()
    -- The post needs the address to write on the envelope.
    or seal.job() in ('administer_accounts', 'deliver_mail')
    or exists (
      select from identity.membership m
      where m.tenant_id = seal.tenant() and m.account_id = account.account_id
    )
  )
  with check (account_id = seal.person() or seal.job() = 'administer_accounts');
-- A login that exists is told by the unique key: only who makes accounts may ask.
create policy made_by_job on identity.account as restrictive for insert to lanyard_identity
  with check (seal.job() = 'administer_accounts');
grant select, insert, update (status, password_epoch, display_name)
  on identity.account to lanyard_identity;

-- identity.password: never within a tenant's context.
create policy identity_works on identity.password for all to lanyard_identity
  using (
    account_id = seal.person()
    or seal.job() = 'administer_accounts'
    or exists (
      select from identity.account a
      where a.account_id = password.account_id and a.login_locator = seal.claimed()
    )
  )
  with check (account_id = seal.person() or seal.job() = 'administer_accounts');
grant select, insert, update (phc, changed_at) on identity.password to lanyard_identity;

-- identity.membership and its roles: the clinic's, or before a clinic is chosen the person's own.
create policy identity_works on identity.membership for all to lanyard_identity
  using (
    tenant_id = seal.tenant()
    or account_id = seal.person()
    or seal.job_for(tenant_id) = 'administer_accounts'
  )
  with check (seal.job_for(tenant_id) = 'administer_accounts');
create policy directory on identity.membership for select to lanyard_directory
  using (tenant_id = seal.tenant() or account_id = seal.person());
grant select, insert, update (status, display_name) on identity.membership to lanyard_identity;
grant select on identity.membership, identity.membership_role to lanyard_directory;
create policy identity_works on identity.membership_role for all to lanyard_identity
  using (
    tenant_id = seal.tenant()
    or seal.job_for(tenant_id) = 'administer_accounts'
    or exists (
      select from identity.membership m
      where m.tenant_id = membership_role.tenant_id
        and m.subject_id = membership_role.subject_id
        and m.account_id = seal.person()
    )
  )
  with check (seal.job_for(tenant_id) = 'administer_accounts');
create policy directory on identity.membership_role for select to lanyard_directory
  using (tenant_id = seal.tenant());
-- DELETE asks only who may see a row; so it has a condition of its own.
create policy deleted_by_job on identity.membership_role as restrictive for delete
  to lanyard_identity using (seal.job_for(tenant_id) = 'administer_accounts');
grant select, insert, delete on identity.membership_role to lanyard_identity;

-- The catalog of roles: read by all of the identity plane, written by migrations.
create policy catalog_read on identity.role for select to lanyard_identity using (true);
create policy catalog_read on identity.permission for select to lanyard_identity using (true);
create policy catalog_read on identity.role_permission for select to lanyard_identity using (true);
create policy catalog_write on identity.role for all to lanyard_owner
  using (true) with check (true);
create policy catalog_write on identity.permission for all to lanyard_owner
  using (true) with check (true);
create policy catalog_write on identity.role_permission for all to lanyard_owner
  using (true) with check (true);
grant select on identity.role, identity.permission, identity.role_permission to lanyard_identity;

create policy identity_works on identity.session_policy for all to lanyard_identity
  using (tenant_id = seal.tenant() or seal.job_for(tenant_id) = 'administer_accounts')
  with check (seal.job_for(tenant_id) = 'administer_accounts');
-- DELETE asks only who may see a row; so it has a condition of its own.
create policy deleted_by_job on identity.session_policy as restrictive for delete
  to lanyard_identity using (seal.job_for(tenant_id) = 'administer_accounts');
grant select, insert, update (idle_seconds, absolute_seconds), delete
  on identity.session_policy to lanyard_identity;

-- identity.client: the clinic's own, the platform's shared ones, or the one presented.
create policy identity_works on identity.client for all to lanyard_identity
  using (
    tenant_id = seal.tenant()
    or (tenant_id = seal.platform_tenant() and seal.class() = 'grant')
    or client_locator = seal.claimed()
    or seal.job_for(tenant_id) = 'administer_clients'
  )
  with check (seal.job_for(tenant_id) = 'administer_clients');
create policy identity_works on identity.client_origin for all to lanyard_identity
  using (
    tenant_id = seal.tenant()
    or origin_locator = seal.claimed()
    or seal.job_for(tenant_id) = 'administer_clients'
  )
  with check (seal.job_for(tenant_id) = 'administer_clients');
grant select, insert on identity.client_origin to lanyard_identity;
create policy identity_works on identity.client_secret for all to lanyard_identity
  using (
    tenant_id = seal.tenant()
    or (tenant_id = seal.platform_tenant() and seal.class() = 'grant')
    or seal.job_for(tenant_id) = 'administer_clients'
    or exists (
      select from identity.client c
      where c.tenant_id = client_secret.tenant_id
        and c.client_id = client_secret.client_id
        and c.client_locator = seal.claimed()
    )
  )
  with check (seal.job_for(tenant_id) = 'administer_clients');
-- DELETE asks only who may see a row; so it has a condition of its own.
create policy deleted_by_job on identity.client as restrictive for delete
  to lanyard_identity using (seal.job_for(tenant_id) = 'administer_clients');
grant select, insert, update (status, redirect_uris, post_logout_redirect_uris, origins, scopes,
  audiences, name), delete on identity.client to lanyard_identity;
-- DELETE asks only who may see a row; so it has a condition of its own.
create policy deleted_by_job on identity.client_secret as restrictive for delete
  to lanyard_identity using (seal.job_for(tenant_id) = 'administer_clients');
grant select, insert, update (expires_at), delete on identity.client_secret to lanyard_identity;

-- What one plane may know of the other, each under the seal of its reader's transaction.
create view identity.clinic as
  select tenant_id, slug, name, accent, status from tenancy.tenant;
create view tenancy.member as
  select m.tenant_id, m.subject_id, m.display_name, m.status,
    array(
      select r.role from identity.membership_role r
      where r.tenant_id = m.tenant_id and r.subject_id = m.subject_id
      order by r.role
    ) as roles
  from identity.membership m
  where m.tenant_id = seal.tenant();
grant select on identity.clinic to lanyard_identity;
grant select on tenancy.member to lanyard_tenant;
grant create on schema identity, tenancy to lanyard_directory;
alter view identity.clinic owner to lanyard_directory;
alter view tenancy.member owner to lanyard_directory;
revoke create on schema identity, tenancy from lanyard_directory;
