-- Support acts as a clinic's member, visibly (design §7; docs/decisions/0029): what a clinic allows,
-- who asked to act as whom and why, and what of the member's rights is lent.
--
-- The previous release knows none of this and gives no token under `act`. What it ends (a session, a
-- membership, an account, a clinic) ends here too: by triggers, in the same transaction.

-- Who acts, of the sealed context: the platform's member, where a subject is acted for.
create function seal.actor() returns uuid language sql stable
  return (seal.context()).actor;
-- The platform's member who looks at his own grants across clinics; null under every other class.
create function seal.agent() returns uuid language plpgsql stable
set search_path = pg_catalog, pg_temp as $$
declare content constant seal.content := seal.context();
begin
  return case when content.class = 'agent' then content.subject end;
end $$;
revoke execute on function seal.actor(), seal.agent() from public;
grant execute on function seal.actor(), seal.agent() to lanyard_identity;

-- What a clinic allows. No row: nothing.
create table identity.impersonation_policy (
  tenant_id uuid not null references tenancy.tenant,
  applies_to text not null check (applies_to = 'everybody'),
  rule text not null
    check (rule in ('forbidden', 'allowed', 'approval_by_admin', 'consent_of_user')),
  changed_at timestamptz not null,
  primary key (tenant_id, applies_to)
);
alter table identity.impersonation_policy enable row level security;
alter table identity.impersonation_policy force row level security;

-- Members with such a role may be acted as; one role that may not is enough for a no. The
-- platform's own never, nor who administers or audits a clinic.
alter table identity.role
  add column may_be_acted_as boolean not null default false,
  add constraint role_of_the_platform_is_never_acted_as
    check (not (is_platform and may_be_acted_as));
update identity.role set may_be_acted_as = true
  where role in ('patient', 'clinician', 'nurse', 'billing_staff', 'referring_doctor');

-- Which keys of a member a role of the platform is lent, by preset. What is not here is never lent.
create table identity.lent_permission (
  role text not null references identity.role,
  preset text not null check (preset in ('read-only', 'assist', 'technical')),
  permission text not null references identity.permission,
  primary key (role, preset, permission)
);
alter table identity.lent_permission enable row level security;
alter table identity.lent_permission force row level security;
create policy catalog_read on identity.lent_permission for select to lanyard_identity using (true);
create policy catalog_write on identity.lent_permission for all to lanyard_owner
  using (true) with check (true);
grant select on identity.lent_permission to lanyard_identity;

insert into identity.lent_permission (role, preset, permission)
  select 'platform_support', p.preset, p.permission
  from (values
    ('read-only', 'tenancy.profile.read'), ('read-only', 'visits.visit.read'),
    ('assist', 'tenancy.profile.read'), ('assist', 'visits.visit.read'),
    -- Nothing that is written about a patient.
    ('technical', 'tenancy.profile.read')
  ) p (preset, permission);

-- One grant: one actor, one subject, one time.
create table identity.impersonation (
  tenant_id uuid not null references tenancy.tenant
    constraint impersonation_is_never_of_the_platform
      check (tenant_id <> '00000000-0000-0000-0000-000000000001'),
  impersonation_id uuid not null,
  -- As its tokens name it, so that one end reaches them all.
  sid uuid not null generated always as (impersonation_id) stored,
  subject_id uuid not null,
  account_id uuid not null, -- the subject's
  -- The actor's membership of the platform's tenant, and its account. No foreign key: it would
  -- begin with another tenant than this row's.
  actor_id uuid not null,
  actor_account_id uuid not null,
  actor_name text not null check (length(actor_name) between 1 and 120), -- as he was called then
  client_id text not null, -- the support's own app that asked
  reason text not null check (length(reason) between 10 and 500 and reason !~ '[[:cntrl:]]'),
  ticket text not null check (ticket ~ '^[A-Za-z0-9][A-Za-z0-9._#/-]{0,63}$'),
  preset text not null check (preset in ('read-only', 'assist', 'technical')),
  minutes smallint not null check (minutes between 1 and 30),
  -- The clinic's rule when it was asked; a stricter one later ends what stands.
  rule text not null check (rule in ('allowed', 'approval_by_admin', 'consent_of_user')),
  state text not null
    check (state in ('requested', 'approved', 'refused', 'expired', 'active', 'ended')),
  requested_at timestamptz not null,
  start_by timestamptz not null check (start_by > requested_at),
  approved_at timestamptz, -- null: not yet
  approved_by uuid,        -- null: by the rule itself
  started_at timestamptz,  -- null: not yet
  ends_at timestamptz,
  actor_session_id uuid,   -- the actor's session when it started; no foreign key: it is purged
  ended_at timestamptz,    -- null: it is not over
  end_reason text,
  end_recorded_at timestamptz, -- null: its end is not in the log yet
  primary key (tenant_id, impersonation_id),
  foreign key (tenant_id, subject_id) references identity.membership,
  constraint impersonation_is_of_another check (account_id <> actor_account_id),
  constraint impersonation_is_approved_as_its_rule_says check (
    approved_at is null
    or case rule
      when 'allowed' then approved_by is null
      when 'approval_by_admin' then approved_by is not null and approved_by <> subject_id
      else approved_by is not distinct from subject_id
    end
  ),
  constraint impersonation_approval_is_whole
    check (approved_by is null or approved_at is not null),
  constraint impersonation_starts_approved check (started_at is null or approved_at is not null),
  constraint impersonation_start_is_whole check (
    (started_at is null) = (ends_at is null)
    and (started_at is null) = (actor_session_id is null)
  ),
  constraint impersonation_is_short check (
    ends_at > started_at and ends_at <= started_at + interval '30 minutes'
  ),
  constraint impersonation_state_is_true check (
    case state
      when 'requested' then approved_at is null
      when 'approved' then approved_at is not null and started_at is null
      when 'active' then started_at is not null
      when 'refused' then approved_at is null
      when 'expired' then started_at is null
      else true
    end
  ),
  constraint impersonation_end_is_whole check (
    (state in ('refused', 'expired', 'ended')) = (ended_at is not null)
    and (ended_at is null) = (end_reason is null)
    and (end_recorded_at is null or ended_at is not null)
  )
);
create index impersonation_by_subject on identity.impersonation (tenant_id, subject_id);
create index impersonation_by_actor on identity.impersonation (actor_id);
create index impersonation_by_account on identity.impersonation (account_id)
  where ended_at is null;
create index impersonation_by_actor_account on identity.impersonation (actor_account_id)
  where ended_at is null;
create index impersonation_by_actor_session on identity.impersonation (actor_session_id)
  where ended_at is null;
create index impersonation_unsettled on identity.impersonation (requested_at)
  where end_recorded_at is null;
alter table identity.impersonation enable row level security;
alter table identity.impersonation force row level security;

-- What no statement may undo: an end, a step, a start. And who approves is who the seal says.
create function identity.impersonation_only_advances() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if old.ended_at is not null and (new.state, new.ended_at, new.end_reason)
      is distinct from (old.state, old.ended_at, old.end_reason) then
    raise exception 'an ended grant stays as it ended' using errcode = '23514',
      constraint = 'impersonation_end_is_final';
  end if;
  if new.state <> old.state and (old.state, new.state) not in (
      ('requested', 'approved'), ('requested', 'refused'), ('requested', 'expired'),
      ('requested', 'ended'), ('approved', 'active'), ('approved', 'expired'),
      ('approved', 'ended'), ('active', 'ended')) then
    raise exception 'a grant goes forward only' using errcode = '23514',
      constraint = 'impersonation_goes_forward';
  end if;
  if old.approved_at is not null and (new.approved_at, new.approved_by)
        is distinct from (old.approved_at, old.approved_by)
      or old.started_at is not null and (new.started_at, new.ends_at, new.actor_session_id)
        is distinct from (old.started_at, old.ends_at, old.actor_session_id) then
    raise exception 'a grant is not renewed' using errcode = '23514',
      constraint = 'impersonation_is_not_renewed';
  end if;
  if old.approved_at is null and new.approved_by is not null
      and new.approved_by is distinct from seal.subject() then
    raise exception 'approved by another than the caller' using errcode = '42501';
  end if;
  return new;
end $$;
create trigger impersonation_only_advances before update on identity.impersonation
  for each row execute function identity.impersonation_only_advances();

-- What was opened under a grant, by route: the person reads it on her account page.
create table identity.impersonation_opened (
  tenant_id uuid not null,
  impersonation_id uuid not null,
  audience text not null check (length(audience) between 1 and 1000),
  method text not null check (method ~ '^[A-Z]{1,20}$'),
  route text not null check (length(route) between 1 and 200),
  times bigint not null check (times > 0),
  first_at timestamptz not null,
  last_at timestamptz not null,
  primary key (tenant_id, impersonation_id, audience, method, route),
  foreign key (tenant_id, impersonation_id) references identity.impersonation
);
alter table identity.impersonation_opened enable row level security;
alter table identity.impersonation_opened force row level security;
create policy identity_works on identity.impersonation_opened for all to lanyard_identity
  using (tenant_id = seal.tenant())
  with check (tenant_id = seal.tenant());
-- Only under the authority of who acts.
create policy opened_by_the_actor on identity.impersonation_opened as restrictive for insert
  to lanyard_identity with check (seal.actor() is not null);
grant select, insert, update (times, last_at) on identity.impersonation_opened to lanyard_identity;

-- Policies

create policy identity_works on identity.impersonation_policy for all to lanyard_identity
  using (tenant_id = seal.tenant() or seal.job_for(tenant_id) = 'administer_impersonation')
  with check (seal.job_for(tenant_id) = 'administer_impersonation');
grant select, insert, update (rule, changed_at) on identity.impersonation_policy
  to lanyard_identity;

create policy identity_works on identity.impersonation for all to lanyard_identity
  using (
    tenant_id = seal.tenant()
    or actor_id = seal.agent()
    or seal.job_for(tenant_id) = 'administer_impersonation'
  )
  with check (
    tenant_id = seal.tenant() or seal.job_for(tenant_id) = 'administer_impersonation'
  );
-- Nobody asks in another's name.
create policy asked_by_the_actor on identity.impersonation as restrictive for insert
  to lanyard_identity with check (actor_id = seal.actor() and subject_id = seal.subject());
-- The triggers below see every clinic's grants, and nothing else of the owner's does.
create policy ended_by_triggers on identity.impersonation for all to lanyard_owner
  using (case when pg_trigger_depth() > 0 then true else tenant_id = seal.tenant() end)
  with check (case when pg_trigger_depth() > 0 then true else tenant_id = seal.tenant() end);
-- Neither who, as whom, why nor for how long is among the columns that may change.
grant select, insert, update (state, approved_at, approved_by, started_at, ends_at,
  actor_session_id, ended_at, end_reason, end_recorded_at) on identity.impersonation
  to lanyard_identity;

-- Ends: whatever takes the ground from under a grant ends it in its own transaction. The event about
-- it follows (`end_recorded_at`): a trigger can't make the server's MAC.

create function identity.impersonation_ends_with_session() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update identity.impersonation i
    set state = 'ended', ended_at = new.ended_at, end_reason = 'actor_signed_out'
    where i.actor_session_id = new.session_id and i.ended_at is null;
  return null;
end $$;
create trigger impersonation_ends_with_session after update of ended_at on identity.session
  for each row when (old.ended_at is null and new.ended_at is not null)
  execute function identity.impersonation_ends_with_session();

-- Of the subject, or of the actor.
create function identity.impersonation_ends_with_membership() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update identity.impersonation i
    set state = 'ended', ended_at = clock_timestamp(), end_reason = 'membership_changed'
    where i.ended_at is null and (
      i.tenant_id = new.tenant_id and i.subject_id = new.subject_id
      or new.tenant_id = seal.platform_tenant() and i.actor_id = new.subject_id);
  return null;
end $$;
create trigger impersonation_ends_with_membership after update of status on identity.membership
  for each row when (new.status <> 'active')
  execute function identity.impersonation_ends_with_membership();

-- Any change of roles: what could be lent was another's.
create function identity.impersonation_ends_with_role() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  of_tenant constant uuid := coalesce(new.tenant_id, old.tenant_id);
  of_subject constant uuid := coalesce(new.subject_id, old.subject_id);
begin
  update identity.impersonation i
    set state = 'ended', ended_at = clock_timestamp(), end_reason = 'roles_changed'
    where i.ended_at is null and (
      i.tenant_id = of_tenant and i.subject_id = of_subject
      or of_tenant = seal.platform_tenant() and i.actor_id = of_subject);
  return null;
end $$;
create trigger impersonation_ends_with_role after insert or update or delete
  on identity.membership_role
  for each row execute function identity.impersonation_ends_with_role();

-- Disabled, of either; a new password, of the actor.
create function identity.impersonation_ends_with_account() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update identity.impersonation i
    set state = 'ended', ended_at = clock_timestamp(), end_reason = 'account_changed'
    where i.ended_at is null and (
      new.status <> 'active' and i.account_id = new.account_id
      or i.actor_account_id = new.account_id);
  return null;
end $$;
create trigger impersonation_ends_with_account after update of status, password_epoch
  on identity.account
  for each row when (
    new.status <> 'active' or new.password_epoch is distinct from old.password_epoch
  )
  execute function identity.impersonation_ends_with_account();

create function identity.impersonation_ends_with_clinic() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update identity.impersonation i
    set state = 'ended', ended_at = clock_timestamp(), end_reason = 'clinic_suspended'
    where i.ended_at is null and i.tenant_id = new.tenant_id;
  return null;
end $$;
create trigger impersonation_ends_with_clinic after update of status on tenancy.tenant
  for each row when (new.status <> 'active')
  execute function identity.impersonation_ends_with_clinic();

-- Forbidden, or another rule than the one that was met.
create function identity.impersonation_ends_with_policy() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update identity.impersonation i
    set state = 'ended', ended_at = new.changed_at, end_reason = 'policy_changed'
    where i.ended_at is null and i.tenant_id = new.tenant_id
      and new.rule <> i.rule and new.rule <> 'allowed';
  return null;
end $$;
create trigger impersonation_ends_with_policy after insert or update
  on identity.impersonation_policy
  for each row execute function identity.impersonation_ends_with_policy();

revoke execute on function
  identity.impersonation_only_advances(), identity.impersonation_ends_with_session(),
  identity.impersonation_ends_with_membership(), identity.impersonation_ends_with_role(),
  identity.impersonation_ends_with_account(), identity.impersonation_ends_with_clinic(),
  identity.impersonation_ends_with_policy()
  from public;

insert into identity.permission (permission, scope) values
  ('support.impersonation.approve', 'impersonation:write'),
  ('support.impersonation.end', 'impersonation:write'),
  ('support.impersonation.read', 'impersonation:read'),
  ('support.impersonation.request', 'impersonation:write');
insert into identity.role_permission (role, permission) values
  ('clinic_admin', 'support.impersonation.approve'),
  ('clinic_admin', 'support.impersonation.end'),
  ('clinic_admin', 'support.impersonation.read'),
  ('compliance_lead', 'support.impersonation.read'),
  ('platform_support', 'support.impersonation.end'),
  ('platform_support', 'support.impersonation.read'),
  ('platform_support', 'support.impersonation.request');
insert into audit.event_type (type, plane) values
  ('impersonation.approved', 'identity'),
  ('impersonation.denied', 'identity'),
  ('impersonation.ended', 'identity'),
  ('impersonation.expired', 'identity'),
  ('impersonation.policy_changed', 'identity'),
  ('impersonation.refused', 'identity'),
  ('impersonation.request_recorded', 'identity'),
  ('impersonation.requested', 'identity'),
  ('impersonation.started', 'identity'),
  ('impersonation.token_issued', 'identity');
