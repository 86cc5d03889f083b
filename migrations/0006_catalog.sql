-- Roles, permissions and events as data. docs/ROLES.md shows the first two, docs/AUDIT.md the last;
-- tests compare them. A new route or event adds its line here until the first release, then in a
-- migration of its own.

insert into identity.permission (permission, scope) values
  ('tenancy.clinic.read', 'tenancy:read'),
  ('tenancy.member.read', 'tenancy:read'),
  ('tenancy.profile.read', 'profile:read'),
  ('visits.visit.read', 'visits:read');

insert into identity.role (role, is_platform, access_class, idle_seconds, absolute_seconds) values
  ('patient',          false, 'patient',    1800, 86400),
  ('clinician',        false, 'clinician',   900, 43200),
  ('nurse',            false, 'care_team',   900, 43200),
  ('clinic_admin',     false, 'care_team',   900, 43200),
  ('executive',        false, 'aggregate',   900, 43200),
  ('billing_staff',    false, 'billing',     900, 43200),
  ('compliance_lead',  false, 'compliance',  900, 43200),
  ('attorney',         false, 'attorney',    900, 43200),
  ('referring_doctor', false, 'referral',    900, 43200),
  ('platform_support', true,  'support',     900, 43200),
  ('super_admin',      true,  'platform',    900, 43200);

insert into identity.role_permission (role, permission)
  select r.role, 'tenancy.profile.read' from identity.role r;
insert into identity.role_permission (role, permission) values
  ('patient', 'visits.visit.read'),
  ('clinician', 'visits.visit.read'),
  ('nurse', 'visits.visit.read'),
  ('clinic_admin', 'visits.visit.read'),
  ('clinic_admin', 'tenancy.clinic.read'),
  ('clinic_admin', 'tenancy.member.read'),
  ('compliance_lead', 'tenancy.clinic.read'),
  ('compliance_lead', 'tenancy.member.read'),
  ('executive', 'tenancy.clinic.read');

insert into audit.event_type (type, plane) values
  ('account.created', 'identity'),
  ('account.recovered', 'identity'),
  ('authorize.granted', 'identity'),
  ('authorize.rejected', 'identity'),
  ('bootstrap.issued', 'identity'),
  ('bootstrap.redeemed', 'identity'),
  ('bootstrap.refused', 'identity'),
  ('client.changed', 'identity'),
  ('client.created', 'identity'),
  ('client.deleted', 'identity'),
  ('client.rejected', 'identity'),
  ('client.secret_rotated', 'identity'),
  ('code.redeemed', 'identity'),
  ('code.rejected', 'identity'),
  ('code.replayed', 'identity'),
  ('membership.created', 'identity'),
  ('password.changed', 'identity'),
  ('password.refused', 'identity'),
  ('refresh.rejected', 'identity'),
  ('refresh.retried', 'identity'),
  ('refresh.reuse_detected', 'identity'),
  ('refresh.rotated', 'identity'),
  ('session.device_first_seen', 'identity'),
  ('session.ended', 'identity'),
  ('session.signed_in', 'identity'),
  ('session_policy.changed', 'identity'),
  ('sign_in.refused', 'identity'),
  ('sign_in.throttled', 'identity'),
  ('token.issued', 'identity'),
  ('visit.listed', 'tenant'),
  ('member.listed', 'tenant'),
  ('tenant.created', 'platform'),
  ('tenant.resumed', 'platform'),
  ('tenant.suspended', 'platform');
