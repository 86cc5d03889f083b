-- The platform's own console (docs/decisions/0033-the-platform-console.md): its sessions; who
-- oversees what support does; and an end of a clinic's sessions that can be looked at from there.
--
-- The previous release knows neither the app nor the class `overseer`, and does not write the proof:
-- what it ends is done, and its command says so itself.

alter table apps.session
  drop constraint session_app_check,
  add constraint session_app_check
    check (app in ('patient', 'clinician', 'console', 'platform'));

-- The platform's member who oversees: sees every clinic's grants of support's, may end them, and
-- sees how verifiers stand and what was ended of a clinic; null under every other class.
create function seal.overseer() returns uuid language plpgsql stable
set search_path = pg_catalog, pg_temp as $$
declare content constant seal.content := seal.context();
begin
  return case when content.class = 'overseer' then content.subject end;
end $$;
revoke execute on function seal.overseer() from public;
grant execute on function seal.overseer() to lanyard_identity;

-- To be seen, and to be ended by him: nothing else of a grant changes under this class, and what has
-- ended stays so by its trigger. The event about each end follows, as with those that triggers make
-- (`end_recorded_at`).
alter policy identity_works on identity.impersonation
  using (
    tenant_id = seal.tenant()
    or actor_id = seal.agent()
    or seal.job_for(tenant_id) = 'administer_impersonation'
    or seal.overseer() is not null
  )
  with check (
    tenant_id = seal.tenant()
    or seal.job_for(tenant_id) = 'administer_impersonation'
    or (seal.overseer() is not null and state = 'ended' and end_reason = 'by_operator'
      and end_recorded_at is null)
  );
alter policy identity_works on identity.impersonation_opened
  using (tenant_id = seal.tenant() or seal.overseer() is not null);
alter policy identity_works on revocation.standing
  using (seal.job_for(tenant_id) = 'tell_revocations' or seal.overseer() is not null);
alter policy identity_works on identity.sessions_end
  using (tenant_id = seal.tenant() or seal.overseer() is not null);

-- That an end is complete: written when the database, asked last, has nothing left, in the same
-- transaction. Nothing here is ever changed or taken back.
create table identity.sessions_end_proof (
  tenant_id uuid not null,
  order_id uuid not null,
  completed_at timestamptz not null,
  sessions bigint not null check (sessions >= 0),
  families bigint not null check (families >= 0),
  codes bigint not null check (codes >= 0),
  primary key (tenant_id, order_id),
  foreign key (tenant_id, order_id) references identity.sessions_end
);
alter table identity.sessions_end_proof enable row level security;
alter table identity.sessions_end_proof force row level security;
create policy identity_works on identity.sessions_end_proof for all to lanyard_identity
  using (tenant_id = seal.tenant() or seal.overseer() is not null)
  with check (seal.job_for(tenant_id) = 'end_sessions');
grant select, insert on identity.sessions_end_proof to lanyard_identity;

insert into identity.permission (permission, scope) values
  ('platform.key.read', 'platform:read'),
  ('platform.key.withdraw', 'platform:write'),
  ('platform.sessions.end', 'platform:write'),
  ('platform.sessions.read', 'platform:read'),
  ('platform.verifier.read', 'platform:read'),
  ('support.impersonation.oversee', 'impersonation:read'),
  ('support.impersonation.stop', 'impersonation:write');
insert into identity.role_permission (role, permission) values
  ('super_admin', 'platform.key.read'),
  ('super_admin', 'platform.key.withdraw'),
  ('super_admin', 'platform.sessions.end'),
  ('super_admin', 'platform.sessions.read'),
  ('super_admin', 'platform.verifier.read'),
  ('super_admin', 'support.impersonation.oversee'),
  ('super_admin', 'support.impersonation.stop');
insert into audit.event_type (type, plane) values
  ('impersonation.stopped', 'identity'),
  ('keys.revocation_ordered', 'identity'),
  ('tenant.sessions_end_ordered', 'identity');
