-- Whoever ends everything of a clinic ends what support may do there (docs/decisions/0029). Support's
-- session is the platform's, so the clinic's end did not reach it: a grant that stood went on giving
-- tokens. As every other end of a grant, this one is a trigger's, in the transaction of its cause.
--
-- The previous release ends a clinic by the same row, and so ends these with it.

-- Of the clinic; of the platform's own tenant all, since there is who acts.
create function identity.impersonation_ends_with_everything() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update identity.impersonation i
    set state = 'ended', ended_at = new.ended_at, end_reason = 'by_operator'
    where i.ended_at is null and i.end_recorded_at is null
      and (i.tenant_id = new.tenant_id or new.tenant_id = seal.platform_tenant());
  return null;
end $$;
create trigger impersonation_ends_with_everything after insert on identity.sessions_end
  for each row execute function identity.impersonation_ends_with_everything();

-- The actor's session, as the platform's own tenant ends it (0031): what started in it since the
-- order was given.
create function identity.impersonation_ends_with_tenant_session() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update identity.impersonation i
    set state = 'ended', ended_at = new.ended_at, end_reason = 'actor_signed_out'
    where i.actor_session_id = new.session_id and i.ended_at is null;
  return null;
end $$;
create trigger impersonation_ends_with_tenant_session
  after update of ended_at on identity.tenant_session
  for each row when (old.ended_at is null and new.ended_at is not null
    and new.tenant_id = seal.platform_tenant())
  execute function identity.impersonation_ends_with_tenant_session();

revoke execute on function
  identity.impersonation_ends_with_everything(),
  identity.impersonation_ends_with_tenant_session()
  from public;
