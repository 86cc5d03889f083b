-- Token families (design §5; docs/decisions/0007): what one login of one client in one tenant has
-- come to, and the digests of the refresh tokens it gave. The rules are src/oidc/family/policy.rs;
-- the checks here hold what no bug there may break.

create table identity.token_family (
  tenant_id uuid not null references tenancy.tenant,
  family_id uuid not null,
  client_id text not null,
  account_id uuid not null references identity.account,
  subject_id uuid not null,
  session_id uuid not null,
  scopes text[] not null,
  audience text not null,
  key_thumbprint bytea check (octet_length(key_thumbprint) = 32), -- null: bound to no key
  started_at timestamptz not null,
  absolute_end_at timestamptz not null check (absolute_end_at > started_at),
  -- An unsigned 32-bit number: two rotations within one second are two generations.
  current_generation bigint not null check (current_generation between 0 and 4294967295),
  current_is_used boolean not null default false, -- redeemed without rotating (fapi2)
  -- How the current generation came into being; null at generation 0.
  redeemed_at timestamptz,
  redeemed_network_digest bytea check (octet_length(redeemed_network_digest) = 32),
  redeemed_agent_digest bytea check (octet_length(redeemed_agent_digest) = 32),
  access_ends_at timestamptz,
  -- Rule 7: successors in a row that went to two places apart.
  lockstep_earlier smallint not null default 0 check (lockstep_earlier between 0 and 255),
  lockstep_current boolean not null default false,
  -- The one successor that may still be given again; null as soon as it may not.
  sealed_successor bytea check (octet_length(sealed_successor) = 60),
  seal_key_id integer,
  sealed_until timestamptz,
  ended_at timestamptz,
  end_reason text,
  primary key (tenant_id, family_id),
  foreign key (tenant_id, session_id) references identity.tenant_session,
  foreign key (tenant_id, subject_id) references identity.membership,
  constraint token_family_redemption_is_whole check (
    (current_generation = 0) = (redeemed_at is null)
    and (redeemed_at is null) = (redeemed_network_digest is null)
    and (redeemed_at is null) = (redeemed_agent_digest is null)
    and (redeemed_at is null) = (access_ends_at is null)
  ),
  constraint token_family_sealed_is_whole check (
    (sealed_successor is null) = (seal_key_id is null)
    and (sealed_successor is null) = (sealed_until is null)
  ),
  constraint token_family_end_is_whole check ((ended_at is null) = (end_reason is null)),
  constraint token_family_ended_keeps_no_successor
    check (ended_at is null or sealed_successor is null)
);
create index token_family_by_session on identity.token_family (tenant_id, session_id);
create index token_family_by_sealed_until on identity.token_family (sealed_until)
  where sealed_successor is not null;
alter table identity.token_family enable row level security;
alter table identity.token_family force row level security;

-- One row a generation, kept as long as the family, so that an old token is known when it comes
-- back. Digests only.
create table identity.refresh_token (
  tenant_id uuid not null,
  family_id uuid not null,
  generation bigint not null check (generation between 0 and 4294967295),
  token_digest bytea not null check (octet_length(token_digest) = 32),
  issued_at timestamptz not null,
  -- A second successor of one generation can't be written.
  primary key (tenant_id, family_id, generation),
  foreign key (tenant_id, family_id) references identity.token_family on delete cascade
);
alter table identity.refresh_token enable row level security;
alter table identity.refresh_token force row level security;

-- What no statement may undo: an end, the absolute end, a rotation.
create function identity.token_family_only_ages() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if old.ended_at is not null
      and (new.ended_at, new.end_reason) is distinct from (old.ended_at, old.end_reason) then
    raise exception 'an ended family stays as it ended' using errcode = '23514',
      constraint = 'token_family_end_is_final';
  end if;
  if new.current_generation not in (old.current_generation, old.current_generation + 1)
      or (old.ended_at is not null and new.current_generation <> old.current_generation) then
    raise exception 'a family grows by one generation' using errcode = '23514',
      constraint = 'token_family_grows_by_one';
  end if;
  return new;
end $$;
create trigger token_family_only_ages before update on identity.token_family
  for each row execute function identity.token_family_only_ages();

create policy identity_works on identity.token_family for all to lanyard_identity
  using (tenant_id = seal.tenant() or seal.job_for(tenant_id) = 'erase_successors')
  with check (tenant_id = seal.tenant() or seal.job_for(tenant_id) = 'erase_successors');
-- Neither what it binds nor its absolute end is among the columns that may change.
grant select, insert, update (current_generation, current_is_used, redeemed_at,
  redeemed_network_digest, redeemed_agent_digest, access_ends_at, lockstep_earlier,
  lockstep_current, sealed_successor, seal_key_id, sealed_until, ended_at, end_reason)
  on identity.token_family to lanyard_identity;

create policy identity_works on identity.refresh_token for all to lanyard_identity
  using (tenant_id = seal.tenant())
  with check (tenant_id = seal.tenant());
grant select, insert on identity.refresh_token to lanyard_identity;
