-- Proxies: somebody whom the law or the patient lets act for her (45 CFR 164.502(g), 164.508;
-- docs/decisions/0035-proxies.md), as a delegation with its basis, its scope and its end.
--
-- The previous release knows none of this and gives no token under a delegation. What it ends (a
-- session, a membership, an account) ends here too: by triggers, in the same transaction.

create table identity.delegation (
  tenant_id uuid not null references tenancy.tenant
    constraint delegation_is_never_of_the_platform
      check (tenant_id <> '00000000-0000-0000-0000-000000000001'),
  delegation_id uuid not null,
  -- As its tokens name it, so that one end reaches them all.
  sid uuid not null generated always as (delegation_id) stored,
  patient_id uuid not null,
  patient_account_id uuid not null,
  proxy_id uuid not null, -- who acts: a member of the same clinic
  proxy_account_id uuid not null,
  basis text not null check (basis in ('parent', 'guardian', 'caregiver', 'power_of_attorney')),
  -- Where the clinic keeps the paper; null: the patient named a caregiver herself.
  document text check (document ~ '^[A-Za-z0-9][A-Za-z0-9._#/-]{0,63}$'),
  -- Which keys of the patient's: no others can be lent.
  scope text[] not null
    constraint delegation_lends_what_may_be_lent check (
      cardinality(scope) between 1 and 2
      and scope <@ array['audit.access.read', 'visits.visit.read']
    ),
  granted_by uuid not null,
  granted_at timestamptz not null,
  valid_from timestamptz not null,
  valid_until timestamptz, -- null: no end was written down
  -- When a minor is one no longer, as the clinic says; null: she is none. No birthday is kept.
  ages_out_on date,
  -- Whichever is first, a birthday from its first instant, UTC; null: until somebody ends it.
  ends_at timestamptz generated always as
    (least(valid_until, ages_out_on::timestamp at time zone 'UTC')) stored,
  ended_at timestamptz, -- null: it is not over
  end_reason text check (end_reason in ('by_patient', 'by_proxy', 'by_clinic', 'time', 'aged_out',
    'membership_changed', 'roles_changed', 'account_changed')),
  end_recorded_at timestamptz, -- null: its end is not in the log yet
  primary key (tenant_id, delegation_id),
  foreign key (tenant_id, patient_id) references identity.membership,
  foreign key (tenant_id, proxy_id) references identity.membership,
  foreign key (tenant_id, granted_by) references identity.membership,
  constraint delegation_is_of_another
    check (patient_id <> proxy_id and patient_account_id <> proxy_account_id),
  -- Nobody lets herself act. A patient lets a caregiver alone, and needs no paper of the clinic's.
  constraint delegation_is_granted_by_another check (granted_by <> proxy_id),
  constraint delegation_has_its_document check (
    case when granted_by = patient_id then basis = 'caregiver' and document is null
      else document is not null end
  ),
  constraint delegation_begins_with_its_grant
    check (valid_from between granted_at and granted_at + interval '1 year'),
  constraint delegation_ends_after_it_begins
    check (valid_until > valid_from and ages_out_on::timestamp at time zone 'UTC' > valid_from),
  -- A parent's ends with the minority, which is 21 years at most anywhere; an authorization names
  -- its own end (45 CFR 164.508(c)(1)(v)).
  constraint delegation_ages_out_as_its_basis_says check (
    case basis
      when 'parent' then ages_out_on is not null
      when 'guardian' then true
      else ages_out_on is null
    end
    and ages_out_on <= (granted_at at time zone 'UTC')::date + interval '21 years'
  ),
  constraint delegation_of_a_caregiver_ends
    check (basis <> 'caregiver' or valid_until <= valid_from + interval '2 years'
      and valid_until is not null),
  constraint delegation_end_is_whole check (
    (ended_at is null) = (end_reason is null)
    and (end_recorded_at is null or ended_at is not null)
  )
);
-- One at a time: another is given when it is over.
create unique index delegation_stands_once
  on identity.delegation (tenant_id, patient_id, proxy_id, basis) where ended_at is null;
create index delegation_by_proxy on identity.delegation (tenant_id, proxy_id);
create index delegation_by_patient_account on identity.delegation (patient_account_id)
  where ended_at is null;
create index delegation_by_proxy_account on identity.delegation (proxy_account_id)
  where ended_at is null;
create index delegation_unsettled on identity.delegation (granted_at)
  where end_recorded_at is null;
alter table identity.delegation enable row level security;
alter table identity.delegation force row level security;

-- What no statement may undo: an end.
create function identity.delegation_only_ends() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if old.ended_at is not null
      and (new.ended_at, new.end_reason) is distinct from (old.ended_at, old.end_reason) then
    raise exception 'an ended delegation stays as it ended' using errcode = '23514',
      constraint = 'delegation_end_is_final';
  end if;
  return new;
end $$;
create trigger delegation_only_ends before update on identity.delegation
  for each row execute function identity.delegation_only_ends();

create policy identity_works on identity.delegation for all to lanyard_identity
  using (tenant_id = seal.tenant() or seal.job_for(tenant_id) = 'administer_delegations')
  with check (tenant_id = seal.tenant() or seal.job_for(tenant_id) = 'administer_delegations');
-- Nobody lets somebody act in another's name.
create policy granted_in_person on identity.delegation as restrictive for insert
  to lanyard_identity with check (granted_by = seal.subject() and seal.actor() is null);
-- The triggers below see every clinic's, and nothing else of the owner's does.
create policy ended_by_triggers on identity.delegation for all to lanyard_owner
  using (case when pg_trigger_depth() > 0 then true else tenant_id = seal.tenant() end)
  with check (case when pg_trigger_depth() > 0 then true else tenant_id = seal.tenant() end);
-- Neither who, for whom, on what basis, how much nor until when is among what may change.
grant select, insert, update (ended_at, end_reason, end_recorded_at) on identity.delegation
  to lanyard_identity;

-- Ends: what takes the ground from under a delegation ends it in its own transaction. The event
-- about it follows (`end_recorded_at`): a trigger can't make the server's MAC. A suspended clinic
-- ends none: it gives no token meanwhile, and its patients' papers stay what they are.

create function identity.delegation_ends_with_membership() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update identity.delegation d
    set ended_at = clock_timestamp(), end_reason = 'membership_changed'
    where d.ended_at is null and d.tenant_id = new.tenant_id
      and new.subject_id in (d.patient_id, d.proxy_id);
  return null;
end $$;
create trigger delegation_ends_with_membership after update of status on identity.membership
  for each row when (new.status <> 'active')
  execute function identity.delegation_ends_with_membership();

-- She is no patient there any more.
create function identity.delegation_ends_with_role() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update identity.delegation d
    set ended_at = clock_timestamp(), end_reason = 'roles_changed'
    where d.ended_at is null and d.tenant_id = old.tenant_id and d.patient_id = old.subject_id;
  return null;
end $$;
create trigger delegation_ends_with_role after delete on identity.membership_role
  for each row when (old.role = 'patient')
  execute function identity.delegation_ends_with_role();

create function identity.delegation_ends_with_account() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update identity.delegation d
    set ended_at = clock_timestamp(), end_reason = 'account_changed'
    where d.ended_at is null
      and (d.patient_account_id = new.account_id or d.proxy_account_id = new.account_id);
  return null;
end $$;
create trigger delegation_ends_with_account after update of status on identity.account
  for each row when (new.status <> 'active')
  execute function identity.delegation_ends_with_account();

-- Told to the verifiers (0032) as the end of a session: its tokens' `sid` is one of its own. What
-- was given until then is refused; of a delegation that stands another can be had.
create function revocation.tell_of_delegation() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  set local lanyard.telling = 'yes';
  insert into revocation.event (tenant_id, kind, subject_id, sid, reason, occurred_at)
    values (new.tenant_id, 'session', new.patient_id, new.sid, 'delegation_ended', new.ended_at);
  set local lanyard.telling = '';
  notify lanyard_revocation;
  return null;
end $$;
create trigger told after update of ended_at on identity.delegation for each row
  when (old.ended_at is null and new.ended_at is not null)
  execute function revocation.tell_of_delegation();

-- The proxy's sign-out, or new password: what was given out of that session is over, and the
-- delegation stands.
create function revocation.tell_of_proxy() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  set local lanyard.telling = 'yes';
  insert into revocation.event (tenant_id, kind, subject_id, sid, reason, occurred_at)
    select d.tenant_id, 'session', d.patient_id, d.sid, 'proxy_signed_out', clock_timestamp()
    from identity.delegation d
    where d.proxy_account_id = new.account_id and d.ended_at is null;
  set local lanyard.telling = '';
  notify lanyard_revocation;
  return null;
end $$;
create trigger told_of_proxy after update of ended_at on identity.session for each row
  when (old.ended_at is null and new.ended_at is not null)
  execute function revocation.tell_of_proxy();
create function revocation.tell_of_proxy_there() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  set local lanyard.telling = 'yes';
  insert into revocation.event (tenant_id, kind, subject_id, sid, reason, occurred_at)
    select d.tenant_id, 'session', d.patient_id, d.sid, 'proxy_signed_out', clock_timestamp()
    from identity.delegation d
    where d.tenant_id = new.tenant_id and d.proxy_id = new.subject_id and d.ended_at is null;
  set local lanyard.telling = '';
  notify lanyard_revocation;
  return null;
end $$;
-- What a clinic ends for itself (0031).
create trigger told_of_proxy after update of ended_at on identity.tenant_session for each row
  when (old.ended_at is null and new.ended_at is not null)
  execute function revocation.tell_of_proxy_there();
create trigger told_of_proxy after update of password_epoch on identity.account for each row
  when (new.password_epoch <> old.password_epoch)
  execute function revocation.tell_of_proxy();

revoke execute on function
  identity.delegation_only_ends(), identity.delegation_ends_with_membership(),
  identity.delegation_ends_with_role(), identity.delegation_ends_with_account(),
  revocation.tell_of_delegation(), revocation.tell_of_proxy(),
  revocation.tell_of_proxy_there()
  from public;

-- Who saw a patient's record (0035), now with who acted: a proxy is a member, and has a name there.
alter table audit.concern add column actor_id uuid; -- null: nobody acted, or before this migration
create or replace function audit.note_entries() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
  insert into audit.concern
    (tenant_id, subject_id, leaf_index, recorded_at, type, by_subject, was_acted, actor_id)
    select e.tenant_id, p.patient::uuid, e.leaf_index, e.recorded_at, e.type, e.subject_id,
      e.actor_id is not null, e.actor_id
    from entered e
    join audit.event_type t on t.type = e.type and t.concerns is not null
    cross join lateral jsonb_array_elements_text(
      case when jsonb_typeof(e.line::jsonb #> array['detail', t.concerns]) = 'array'
        then e.line::jsonb #> array['detail', t.concerns] else '[]' end) as p (patient)
    where e.subject_id is not null
    on conflict do nothing;
  insert into audit.review (tenant_id, leaf_index, type, recorded_at, subject_id)
    select e.tenant_id, e.leaf_index, e.type, e.recorded_at, e.subject_id
    from entered e
    join audit.event_type t on t.type = e.type and t.review is not null;
  return null;
end $$;

insert into identity.permission (permission, scope) values
  ('account.delegation.read', 'delegation:read'),
  ('account.delegation.write', 'delegation:write'),
  ('tenancy.delegation.read', 'delegation:read'),
  ('tenancy.delegation.write', 'delegation:write');
insert into identity.role_permission (role, permission)
  select r.role, p.permission
  from identity.role r
  cross join (values ('account.delegation.read'), ('account.delegation.write')) p (permission)
  where not r.is_platform;
insert into identity.role_permission (role, permission) values
  ('clinic_admin', 'tenancy.delegation.read'),
  ('clinic_admin', 'tenancy.delegation.write'),
  ('compliance_lead', 'tenancy.delegation.read');
insert into audit.event_type (type, plane) values
  ('delegation.created', 'identity'),
  ('delegation.denied', 'identity'),
  ('delegation.ended', 'identity'),
  ('delegation.request_recorded', 'identity'),
  ('delegation.token_issued', 'identity'),
  ('emergency_access.patient_sought', 'tenant');
-- Who audits the clinic looks at each.
update audit.event_type set review = 'privilege' where type = 'delegation.created';
