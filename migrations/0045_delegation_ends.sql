-- Proxies' tokens have an end of their own, before the delegation's (docs/decisions/0035-proxies.md):
-- an app is done with one (RFC 7009), or the proxy signs out. Until now the second was told to the
-- verifiers and kept nowhere, so that introspection did not know it.
--
-- The previous release neither reads nor writes the new columns. Its sign-outs end tokens by the
-- triggers below, and are told as before.

alter table identity.delegation
  -- What was given until then is refused; null: nothing was ended before its time.
  add column tokens_ended_at timestamptz,
  add column tokens_end_reason text check (tokens_end_reason in ('proxy_signed_out', 'revoked')),
  add constraint delegation_tokens_end_is_whole
    check ((tokens_ended_at is null) = (tokens_end_reason is null));
grant update (tokens_ended_at, tokens_end_reason) on identity.delegation to lanyard_identity;

-- What no statement may undo: neither its end nor its tokens'.
create or replace function identity.delegation_only_ends() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if old.ended_at is not null
      and (new.ended_at, new.end_reason) is distinct from (old.ended_at, old.end_reason) then
    raise exception 'an ended delegation stays as it ended' using errcode = '23514',
      constraint = 'delegation_end_is_final';
  end if;
  if old.tokens_ended_at is not null
      and (new.tokens_ended_at >= old.tokens_ended_at) is not true then
    raise exception 'tokens that were ended stay so' using errcode = '23514',
      constraint = 'delegation_tokens_end_is_final';
  end if;
  return new;
end $$;

-- Told to the verifiers as the end of a session: the tokens' `sid` is the delegation's.
create function revocation.tell_of_delegated_tokens() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  set local lanyard.telling = 'yes';
  insert into revocation.event (tenant_id, kind, subject_id, sid, reason, occurred_at)
    values (new.tenant_id, 'session', new.patient_id, new.sid, new.tokens_end_reason,
      new.tokens_ended_at);
  set local lanyard.telling = '';
  notify lanyard_revocation;
  return null;
end $$;
create trigger told_of_tokens after update of tokens_ended_at on identity.delegation for each row
  when (new.tokens_ended_at is distinct from old.tokens_ended_at)
  execute function revocation.tell_of_delegated_tokens();

-- The proxy's sign-out, or new password: what was given out of that session is over, and the
-- delegation stands. What ends the tokens tells of it.
create or replace function revocation.tell_of_proxy() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  over_at timestamptz := clock_timestamp();
begin
  if tg_table_name = 'session' then
    over_at := new.ended_at;
  end if;
  update identity.delegation d
    set tokens_ended_at = over_at, tokens_end_reason = 'proxy_signed_out'
    where d.proxy_account_id = new.account_id and d.ended_at is null
      and (d.tokens_ended_at < over_at or d.tokens_ended_at is null);
  return null;
end $$;
create or replace function revocation.tell_of_proxy_there() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update identity.delegation d
    set tokens_ended_at = new.ended_at, tokens_end_reason = 'proxy_signed_out'
    where d.tenant_id = new.tenant_id and d.proxy_id = new.subject_id and d.ended_at is null
      and (d.tokens_ended_at < new.ended_at or d.tokens_ended_at is null);
  return null;
end $$;
revoke execute on function revocation.tell_of_delegated_tokens() from public;

-- What is asked for: the newest of a clinic, those of one patient, what ran out, and what ended and
-- is not in the log. The index that goes held every delegation that stands.
create index delegation_by_grant on identity.delegation (tenant_id, granted_at desc, delegation_id);
create index delegation_by_patient on identity.delegation (tenant_id, patient_id);
create index delegation_running_out on identity.delegation (ends_at) where ended_at is null;
create index delegation_unrecorded on identity.delegation (ended_at)
  where ended_at is not null and end_recorded_at is null;
drop index identity.delegation_unsettled;

-- One member's alone, by the indexes of either side.
create or replace function identity.delegation_ends_with_membership() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update identity.delegation d
    set ended_at = clock_timestamp(), end_reason = 'membership_changed'
    where d.ended_at is null and d.tenant_id = new.tenant_id
      and (d.patient_id = new.subject_id or d.proxy_id = new.subject_id);
  return null;
end $$;

insert into audit.event_type (type, plane) values
  ('delegation.tokens_ended', 'identity');
