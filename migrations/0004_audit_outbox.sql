-- The log and the post. An event is written in the transaction of what it records; its tenant,
-- subject and actor come from the seal, its plane from the login, its recording from the clock of
-- the database. No role may change or delete one.

create table audit.event_type (
  type text primary key check (type ~ '^[a-z_]+\.[a-z_]+$'),
  plane text not null check (plane in ('identity', 'tenant', 'platform', 'apps'))
);
create table audit.event (
  tenant_id uuid not null,
  event_id uuid not null,
  type text not null references audit.event_type,
  class text not null,
  account_id uuid,
  subject_id uuid,
  actor_id uuid,
  occurred_at timestamptz not null,
  recorded_at timestamptz not null,
  detail jsonb not null check (octet_length(detail::text) <= 8192),
  mac bytea not null check (octet_length(mac) = 32),
  primary key (tenant_id, event_id)
);
alter table audit.event_type enable row level security;
alter table audit.event_type force row level security;
alter table audit.event enable row level security;
alter table audit.event force row level security;

create policy catalog on audit.event_type for all to lanyard_owner using (true) with check (true);
create policy append_only on audit.event for insert to lanyard_owner
  with check (tenant_id = coalesce(seal.tenant(), seal.platform_tenant()));

-- Before a tenant is known (a sign-in, an account's own page) the event goes to the platform's log.
create function audit.append(
  event_id uuid, type text, occurred_at timestamptz, detail jsonb, mac bytea
) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare content constant seal.content := seal.context();
begin
  if not exists (
    select from audit.event_type t
    where t.type = append.type and 'lanyard_' || t.plane = session_user
  ) then
    raise exception 'this plane has no such event' using errcode = '42501';
  end if;
  insert into audit.event (tenant_id, event_id, type, class, account_id, subject_id, actor_id,
      occurred_at, recorded_at, detail, mac)
    values (coalesce(content.tenant, seal.platform_tenant()), append.event_id, append.type,
      content.class, content.account, content.subject, content.actor,
      append.occurred_at, clock_timestamp(), append.detail, append.mac);
end $$;
revoke execute on function audit.append(uuid, text, timestamptz, jsonb, bytea) from public;
grant execute on function audit.append(uuid, text, timestamptz, jsonb, bytea)
  to lanyard_identity, lanyard_tenant, lanyard_platform, lanyard_apps;

-- Mail to be sent: written in the transaction of its cause, delivered after commit, once.
create table outbox.message (
  tenant_id uuid not null,
  message_id uuid not null,
  account_id uuid not null,
  kind text not null check (kind ~ '^[a-z_]+$'),
  parameters jsonb not null,
  created_at timestamptz not null,
  taken_at timestamptz,
  delivered_at timestamptz,
  primary key (tenant_id, message_id)
);
create index message_undelivered on outbox.message (created_at) where delivered_at is null;
alter table outbox.message enable row level security;
alter table outbox.message force row level security;
create policy post on outbox.message for all to lanyard_identity
  using (seal.job_for(tenant_id) = 'deliver_mail')
  with check (
    seal.job_for(tenant_id) = 'deliver_mail'
    or tenant_id = coalesce(seal.tenant(), seal.platform_tenant())
  );
grant insert, select, update (taken_at, delivered_at) on outbox.message to lanyard_identity;
