-- Emergency access (45 CFR 164.312(a)(2)(ii); docs/decisions/0030-emergency-access.md): a clinician
-- opens the record of a patient whom he is not assigned to, for a short while, and answers for it.
--
-- The previous release says `treatment` in every transaction of a person's and knows no emergency:
-- it goes on as before, and opens none.

-- As what a transaction of a person looks, and what for: its class and its purpose of use. Asked
-- together, so that the seal is checked once for both.
create function seal.look() returns text language plpgsql stable
set search_path = pg_catalog, pg_temp as $$
declare content constant seal.content := seal.context();
begin
  return content.class || ' for ' || content.purpose;
end $$;
-- Whether somebody acts for the subject.
create function seal.is_acted() returns boolean language sql stable
  return (seal.context()).actor is not null;
revoke execute on function seal.look(), seal.is_acted() from public;
grant execute on function seal.look(), seal.is_acted() to lanyard_tenant;

create table visits.emergency_access (
  tenant_id uuid not null references tenancy.tenant,
  access_id uuid not null,
  clinician_id uuid not null, -- members both; their plane is another
  patient_id uuid not null,
  reason text not null check (reason in ('life_threatening', 'patient_unreachable',
    'covering_colleague', 'transfer_of_care', 'other')),
  -- What he typed: ciphertext under the clinic's key, bound to this row.
  why_sealed bytea not null check (octet_length(why_sealed) between 29 and 4096),
  opened_at timestamptz not null,
  expires_at timestamptz not null,
  closed_at timestamptz,   -- null: not before its time was over
  reviewed_at timestamptz, -- null: it waits for its review, and so for the next two
  reviewed_by uuid,
  finding text check (finding in ('appropriate', 'inappropriate', 'needs_follow_up')),
  note_sealed bytea check (octet_length(note_sealed) between 29 and 4096), -- null: none typed
  primary key (tenant_id, access_id),
  constraint emergency_is_anothers check (patient_id <> clinician_id),
  constraint emergency_is_short check (
    expires_at between opened_at + interval '5 minutes' and opened_at + interval '4 hours'
  ),
  constraint emergency_closes_in_its_time check (closed_at between opened_at and expires_at),
  constraint emergency_review_is_whole check (
    num_nonnulls(reviewed_at, reviewed_by, finding) in (0, 3)
    and (note_sealed is null or reviewed_at is not null)
  ),
  constraint emergency_is_reviewed_by_another check (reviewed_by <> clinician_id),
  constraint emergency_is_over_when_reviewed check (reviewed_at >= least(closed_at, expires_at)),
  -- What was not in order is said in words.
  constraint emergency_finding_is_explained
    check (finding = 'appropriate' or note_sealed is not null)
);
-- One at a time: a second click finds the first one's.
create unique index emergency_is_open_once
  on visits.emergency_access (tenant_id, clinician_id, patient_id)
  where closed_at is null and reviewed_at is null;
create index emergency_unreviewed on visits.emergency_access (tenant_id, opened_at)
  where reviewed_at is null;
alter table visits.emergency_access enable row level security;
alter table visits.emergency_access force row level security;

-- His own under the purpose `emergency`; all of the clinic's for who reviews. What is closed stays
-- closed, and what is reviewed stays as it was reviewed.
create policy seen on visits.emergency_access for select to lanyard_tenant
  using (
    tenant_id = seal.tenant()
    and case seal.look()
      when 'clinician for emergency' then clinician_id = seal.subject()
      when 'auditor for operations' then true
      else false
    end
  );
create policy opened on visits.emergency_access for insert to lanyard_tenant
  with check (
    tenant_id = seal.tenant()
    and seal.look() = 'clinician for emergency'
    and clinician_id = seal.subject()
    and closed_at is null
    and reviewed_at is null
    -- By the database's own clock: none is open for longer than its four hours.
    and opened_at <= clock_timestamp() + interval '1 minute'
  );
create policy ended on visits.emergency_access for update to lanyard_tenant
  using (
    tenant_id = seal.tenant()
    and reviewed_at is null
    and case seal.look()
      when 'clinician for emergency' then clinician_id = seal.subject() and closed_at is null
      when 'auditor for operations' then clinician_id <> seal.subject()
      else false
    end
  )
  with check (
    tenant_id = seal.tenant()
    and case seal.look()
      when 'clinician for emergency' then closed_at is not null and reviewed_at is null
      when 'auditor for operations' then reviewed_by = seal.subject()
      else false
    end
  );
-- Nobody breaks the glass, or signs it off, in another's name.
create policy in_person on visits.emergency_access as restrictive for all to lanyard_tenant
  using (not seal.is_acted())
  with check (not seal.is_acted());
grant select, insert, update (closed_at, reviewed_at, reviewed_by, finding, note_sealed)
  on visits.emergency_access to lanyard_tenant;

-- Minimum necessary (0005), now by purpose as well. In an emergency: of the patients whose record
-- he has opened, for as long as it is open by the database's own clock, and of nobody else.
alter policy minimum_necessary on visits.visit
  using (
    tenant_id = seal.tenant()
    and case seal.look()
      when 'patient for treatment' then patient_id = seal.subject()
      when 'clinician for treatment' then practitioner_id = seal.subject()
      when 'clinician for emergency' then exists (
        select from visits.emergency_access a
        where a.tenant_id = visit.tenant_id
          and a.clinician_id = seal.subject()
          and a.patient_id = visit.patient_id
          and a.closed_at is null
          and a.reviewed_at is null
          and a.expires_at > clock_timestamp()
        offset 0
      )
      when 'care_team for treatment' then true
      when 'care_team for operations' then true
      when 'job for seed_visits' then seal.job_for(tenant_id) = 'seed_visits'
      else false
    end
  );

-- No access without its alert: to the clinic's compliance leads, or where there is none to its
-- administrators, never to who opened it. Nothing of the patient is in it. The clerk sees of this
-- clinic what it sees when it issues a token, and the tenant plane gains no right on the post.
grant usage on schema outbox to lanyard_clerk;
grant insert on outbox.message to lanyard_clerk;
create policy opened on outbox.message for insert to lanyard_clerk
  with check (seal.is_opened(tenant_id) and kind = 'emergency_opened');
grant execute on function seal.context(), seal.tenant() to lanyard_clerk;

create function clerk.alert_of_emergency() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  told bigint;
begin
  perform set_config('lanyard.opened', array[seal.tenant()]::text, true);
  perform set_config('lanyard.claimed', coalesce((
    select array_agg(m.account_id)::text
    from identity.membership m
    join identity.membership_role r on r.tenant_id = m.tenant_id and r.subject_id = m.subject_id
    where m.tenant_id = new.tenant_id and r.role in ('compliance_lead', 'clinic_admin')
  ), ''), true);
  with reviewer as materialized (
    select m.account_id, r.role
    from identity.membership m
    join identity.membership_role r on r.tenant_id = m.tenant_id and r.subject_id = m.subject_id
    join identity.account a on a.account_id = m.account_id
    where m.tenant_id = new.tenant_id and r.role in ('compliance_lead', 'clinic_admin')
      and m.subject_id <> new.clinician_id and m.status = 'active' and a.status = 'active'
  )
  insert into outbox.message
      (tenant_id, message_id, account_id, kind, parameters, created_at)
    select new.tenant_id, gen_random_uuid(), r.account_id, 'emergency_opened',
      jsonb_build_object('clinician', m.display_name, 'clinic', t.name), new.opened_at
    from reviewer r
    join identity.membership m
      on m.tenant_id = new.tenant_id and m.subject_id = new.clinician_id
    join tenancy.tenant t on t.tenant_id = new.tenant_id
    -- The leads' word comes after the administrators'.
    where r.role = (select max(o.role) from reviewer o);
  get diagnostics told = row_count;
  perform set_config('lanyard.opened', '', true), set_config('lanyard.claimed', '', true);
  if told = 0 then
    raise exception 'nobody would be told of this' using errcode = '23514',
      constraint = 'emergency_alerts_somebody';
  end if;
  return null;
end $$;
revoke execute on function clerk.alert_of_emergency() from public;
create trigger emergency_alerts after insert on visits.emergency_access
  for each row execute function clerk.alert_of_emergency();
grant create on schema clerk to lanyard_clerk;
alter function clerk.alert_of_emergency() owner to lanyard_clerk;
revoke create on schema clerk from lanyard_clerk;

insert into identity.permission (permission, scope) values
  ('visits.emergency.open', 'visits:read'),
  ('visits.emergency.read', 'visits:read'),
  ('visits.emergency.review', 'visits:read');
insert into identity.role_permission (role, permission) values
  ('clinician', 'visits.emergency.open'),
  ('clinician', 'visits.emergency.read'),
  ('compliance_lead', 'visits.emergency.read'),
  ('compliance_lead', 'visits.emergency.review'),
  ('clinic_admin', 'visits.emergency.read'),
  ('clinic_admin', 'visits.emergency.review');
insert into audit.event_type (type, plane) values
  ('emergency_access.opened', 'tenant'),
  ('emergency_access.read', 'tenant'),
  ('emergency_access.closed', 'tenant'),
  ('emergency_access.listed', 'tenant'),
  ('emergency_access.reviewed', 'tenant');
-- A patient is told that her record was read (45 CFR 164.528), and who audits the clinic finds each
-- opening among what waits to be looked at, beside the letter.
update audit.event_type set concerns = 'patients' where type = 'emergency_access.read';
update audit.event_type set review = 'access' where type = 'emergency_access.opened';
