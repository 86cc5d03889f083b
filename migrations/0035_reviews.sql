-- What of the log concerns which patient (45 CFR 164.528), and what of it somebody at the clinic has
-- to look at and sign off (45 CFR 164.308(a)(1)(ii)(D), (a)(5)(ii)(C)). Both are drawn from the
-- entries as they are sequenced: no writer of an event can leave them out. The previous release
-- knows neither table.

alter table audit.event_type
  -- The member of the detail that lists the patients whose records were seen; null: none are.
  add column concerns text,
  -- Why somebody looks at it; null: nobody has to.
  add column review text check (review in ('access', 'factor', 'privilege', 'session', 'sign_in'));
update audit.event_type set concerns = 'patients' where type = 'visit.listed';
update audit.event_type set review = 'session'
  where type in ('code.replayed', 'refresh.reuse_detected');
update audit.event_type set review = 'factor' where type in ('factor.reset', 'factor.policy_changed');
update audit.event_type set review = 'privilege'
  where type in ('membership.created', 'session_policy.changed', 'tenant.data_destroyed');
update audit.event_type set review = 'sign_in' where type in ('sign_in.throttled', 'factor.throttled');

create table audit.concern (
  tenant_id uuid not null,
  subject_id uuid not null, -- the patient
  leaf_index bigint not null,
  recorded_at timestamptz not null,
  type text not null,
  by_subject uuid not null, -- whose right it was
  was_acted boolean not null, -- somebody else used that right
  primary key (tenant_id, subject_id, leaf_index)
);
create table audit.review (
  tenant_id uuid not null,
  leaf_index bigint not null,
  type text not null,
  recorded_at timestamptz not null,
  subject_id uuid, -- null: nobody's
  signed_at timestamptz, -- null: it waits
  signed_by uuid,
  verdict text check (verdict in ('expected', 'follow_up', 'incident')),
  primary key (tenant_id, leaf_index),
  constraint review_is_signed_whole check (
    (signed_at is null) = (signed_by is null) and (signed_at is null) = (verdict is null)
  ),
  constraint review_is_signed_by_another check ((signed_by = subject_id) is not true)
);
create index review_waiting on audit.review (tenant_id, leaf_index) where signed_at is null;
alter table audit.concern enable row level security;
alter table audit.concern force row level security;
alter table audit.review enable row level security;
alter table audit.review force row level security;
create policy at_work on audit.concern for all to lanyard_owner
  using (seal.is_at_the_log()) with check (seal.is_at_the_log());
create policy at_work on audit.review for all to lanyard_owner
  using (seal.is_at_the_log()) with check (seal.is_at_the_log());

-- A patient sees who saw hers.
create policy own on audit.concern for select to lanyard_tenant
  using (
    tenant_id = seal.tenant() and seal.class() = 'patient' and subject_id = seal.subject()
  );
grant select on audit.concern to lanyard_tenant;
-- Who audits a clinic looks and signs, never what she did herself.
create policy audited on audit.review for select to lanyard_tenant
  using (tenant_id = seal.tenant() and seal.class() = 'auditor');
create policy signed_off on audit.review for update to lanyard_tenant
  using (tenant_id = seal.tenant() and seal.class() = 'auditor' and signed_at is null)
  with check (
    tenant_id = seal.tenant() and seal.class() = 'auditor' and signed_by = seal.subject()
  );
grant select, update (signed_at, signed_by, verdict) on audit.review to lanyard_tenant;

-- Runs within audit.sequence, once a batch.
create function audit.note_entries() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
  insert into audit.concern
    (tenant_id, subject_id, leaf_index, recorded_at, type, by_subject, was_acted)
    select e.tenant_id, p.patient::uuid, e.leaf_index, e.recorded_at, e.type, e.subject_id,
      e.actor_id is not null
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
revoke execute on function audit.note_entries() from public;
create trigger entries_are_noted after insert on audit.entry
  referencing new table as entered
  for each statement execute function audit.note_entries();

-- The catalog is the owner's: a reader is told of it what it needs.
create function audit.why_reviewed(of_type text) returns text language sql stable security definer
set search_path = pg_catalog, pg_temp as $$
  select t.review from audit.event_type t where t.type = of_type
$$;
revoke execute on function audit.why_reviewed(text) from public;
grant execute on function audit.why_reviewed(text) to lanyard_tenant;

insert into identity.permission (permission, scope) values
  ('audit.access.read', 'profile:read'),
  ('audit.review.read', 'audit:read'),
  ('audit.review.sign', 'audit:write');
insert into identity.role_permission (role, permission) values
  ('patient', 'audit.access.read'),
  ('clinic_admin', 'audit.review.read'),
  ('clinic_admin', 'audit.review.sign'),
  ('compliance_lead', 'audit.review.read'),
  ('compliance_lead', 'audit.review.sign');
insert into audit.event_type (type, plane) values
  ('review.signed', 'tenant');
