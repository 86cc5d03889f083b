-- What a clinic tells its people on their apps' first pages: the latest one is shown. Written by its administrators, with a
-- second factor proved just now; read by every member. And what an app keeps of a person's typing
-- while she confirms that. The previous release shows and keeps nothing of it.
create table tenancy.announcement (
  tenant_id uuid not null references tenancy.tenant,
  announcement_id uuid not null,
  body text not null check (length(body) between 1 and 500),
  written_by uuid not null, -- the member; her plane is another
  written_at timestamptz not null,
  primary key (tenant_id, announcement_id)
);
create index announcement_latest on tenancy.announcement (tenant_id, written_at desc);
alter table tenancy.announcement enable row level security;
alter table tenancy.announcement force row level security;
create policy clinic_speaks on tenancy.announcement for all to lanyard_tenant
  using (tenant_id = seal.tenant())
  with check (
    tenant_id = seal.tenant() and seal.class() = 'care_team' and written_by = seal.subject()
  );
grant select, insert on tenancy.announcement to lanyard_tenant;

insert into identity.permission (permission, scope) values
  ('tenancy.announcement.write', 'tenancy:write');
insert into identity.role_permission (role, permission) values
  ('clinic_admin', 'tenancy.announcement.write');
insert into audit.event_type (type, plane) values
  ('announcement.changed', 'tenant');

-- Ciphertext of what was typed and could not be sent yet; null: nothing is kept.
alter table apps.session add column draft bytea check (octet_length(draft) <= 4096);
grant update (draft) on apps.session to lanyard_apps;
