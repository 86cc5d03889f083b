-- A browser is handed over into an app that support enters as somebody (docs/decisions/0032): a
-- one-time transfer, the impersonation's own browser session, and the codes it buys.
--
-- The codes have a table of their own, so that no path that redeems a person's code, nor the clerk's
-- functions, can ever find one of these, nor the other way round.
--
-- The previous release knows none of this: its apps can't be entered.

-- Where an app is told to begin a sign-in (OIDC Core §4); null: it can't be.
alter table identity.client add column initiate_login_uri text
  check (length(initiate_login_uri) between 1 and 1000);
grant update (initiate_login_uri) on identity.client to lanyard_identity;

-- One way into one app under one grant: first a transfer, spent once within a minute; from then on
-- the browser's session under that grant.
create table identity.handover (
  tenant_id uuid not null,
  handover_id uuid not null,
  impersonation_id uuid not null,
  client_id text not null, -- no foreign key: the app is the clinic's or the platform's
  actor_sid uuid not null, -- the actor's session as the platform's tenant names it
  transfer_digest bytea not null check (octet_length(transfer_digest) = 32),
  created_at timestamptz not null,
  expires_at timestamptz not null,
  spent_at timestamptz, -- null: not spent
  session_digest bytea check (octet_length(session_digest) = 32), -- null: not spent
  primary key (tenant_id, handover_id),
  foreign key (tenant_id, impersonation_id) references identity.impersonation,
  constraint handover_is_short
    check (expires_at > created_at and expires_at <= created_at + interval '60 seconds'),
  constraint handover_is_spent_in_time check (spent_at < expires_at),
  constraint handover_opens_when_spent check ((spent_at is null) = (session_digest is null))
);
create index handover_by_grant on identity.handover (tenant_id, impersonation_id);
create index handover_by_end on identity.handover (expires_at);
alter table identity.handover enable row level security;
alter table identity.handover force row level security;
create policy identity_works on identity.handover for all to lanyard_identity
  using (tenant_id = seal.tenant())
  with check (tenant_id = seal.tenant());
-- Only under the authority of who acts.
create policy made_by_the_actor on identity.handover as restrictive for insert
  to lanyard_identity with check (seal.actor() is not null);
create policy spent_once on identity.handover as restrictive for update to lanyard_identity
  using (tenant_id = seal.tenant() and spent_at is null)
  with check (tenant_id = seal.tenant() and spent_at is not null);
grant select, insert, update (spent_at, session_digest) on identity.handover to lanyard_identity;

create table identity.handover_code (
  tenant_id uuid not null,
  code_id uuid not null,
  handover_id uuid not null,
  code_digest bytea not null check (octet_length(code_digest) = 32),
  client_id text not null,
  redirect_uri text not null,
  code_challenge text, -- null only for the plain oidc profile
  nonce text,          -- null: the client sent none
  scopes text[] not null,
  audience text not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  spent_at timestamptz, -- null: not spent
  primary key (tenant_id, code_id),
  foreign key (tenant_id, handover_id) references identity.handover
);
create index handover_code_by_handover on identity.handover_code (tenant_id, handover_id);
create index handover_code_by_end on identity.handover_code (expires_at);
alter table identity.handover_code enable row level security;
alter table identity.handover_code force row level security;
create policy identity_works on identity.handover_code for all to lanyard_identity
  using (tenant_id = seal.tenant())
  with check (tenant_id = seal.tenant());
create policy made_by_the_actor on identity.handover_code as restrictive for insert
  to lanyard_identity with check (seal.actor() is not null);
create policy spent_once on identity.handover_code as restrictive for update to lanyard_identity
  using (tenant_id = seal.tenant() and spent_at is null)
  with check (tenant_id = seal.tenant() and spent_at is not null);
grant select, insert, update (spent_at) on identity.handover_code to lanyard_identity;

-- What is forgotten (0017): both are dead with the grant, half an hour after they were made.
create policy dead on identity.handover for all to lanyard_retention
  using (seal.is_purging() and expires_at < now() - interval '12 hours')
  with check (false);
create policy dead on identity.handover_code for all to lanyard_retention
  using (seal.is_purging() and expires_at < now() - interval '12 hours')
  with check (false);
grant select, delete, update (spent_at) on identity.handover to lanyard_retention;
grant select, delete, update (spent_at) on identity.handover_code to lanyard_retention;

create function identity.purge_handover_codes(before timestamptz, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare gone bigint;
begin
  delete from identity.handover_code where ctid = any (array(
    select d.ctid from identity.handover_code d
    where d.expires_at < before order by d.expires_at limit most for update skip locked
  ));
  get diagnostics gone = row_count;
  return gone;
end $$;
-- Codes of a handover go before it: the longest grant is half an hour.
create function identity.purge_handovers(before timestamptz, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare gone bigint;
begin
  delete from identity.handover where ctid = any (array(
    select d.ctid from identity.handover d
    where d.expires_at < before
      and not exists (
        select from identity.handover_code c
        where c.tenant_id = d.tenant_id and c.handover_id = d.handover_id
      )
    order by d.expires_at limit most for update skip locked
  ));
  get diagnostics gone = row_count;
  return gone;
end $$;
revoke execute on function identity.purge_handover_codes(timestamptz, integer) from public;
revoke execute on function identity.purge_handovers(timestamptz, integer) from public;
grant execute on function
  identity.purge_handover_codes(timestamptz, integer),
  identity.purge_handovers(timestamptz, integer) to lanyard_identity;
grant create on schema identity to lanyard_retention;
alter function identity.purge_handover_codes(timestamptz, integer) owner to lanyard_retention;
alter function identity.purge_handovers(timestamptz, integer) owner to lanyard_retention;
revoke create on schema identity from lanyard_retention;

-- An app's session under a grant that is over says so.
alter table apps.session drop constraint session_end_reason_check;
alter table apps.session add constraint session_end_reason_check
  check (end_reason in ('signed_out', 'idle', 'expired', 'elsewhere', 'impersonation_over'));

insert into audit.event_type (type, plane) values
  ('impersonation.entered', 'identity'),
  ('impersonation.transfer_made', 'identity');
