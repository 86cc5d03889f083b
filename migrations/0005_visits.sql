-- Visits, as far as the main job needs them: who sees which is a policy of the database.
create table visits.visit (
  tenant_id uuid not null references tenancy.tenant,
  visit_id uuid not null,
  patient_id uuid not null,
  practitioner_id uuid not null,
  starts_at timestamptz not null,
  kind text not null check (kind in ('video', 'phone', 'in_person')),
  state text not null check (state in ('scheduled', 'running', 'completed', 'canceled')),
  primary key (tenant_id, visit_id)
);
create index visit_by_patient on visits.visit (tenant_id, patient_id, starts_at);
create index visit_by_practitioner on visits.visit (tenant_id, practitioner_id, starts_at);
alter table visits.visit enable row level security;
alter table visits.visit force row level security;

-- Minimum necessary (45 CFR 164.502(b)): a patient her own, a clinician the patients assigned to
-- him, nurses and the clinic's administrators the clinic's, everybody else no identified row.
create policy minimum_necessary on visits.visit for all to lanyard_tenant
  using (
    tenant_id = seal.tenant()
    and case seal.class()
      when 'patient' then patient_id = seal.subject()
      when 'clinician' then practitioner_id = seal.subject()
      when 'care_team' then true
      when 'job' then seal.job_for(tenant_id) = 'seed_visits'
      else false
    end
  )
  with check (tenant_id = seal.tenant() and seal.job_for(tenant_id) = 'seed_visits');
grant select, insert on visits.visit to lanyard_tenant;
