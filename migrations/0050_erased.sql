-- A person is erased (docs/decisions/0024-the-log.md): nobody can say any more who an account was,
-- and what it did stays on the record, under its id.
--
-- The previous release takes such an account for a disabled one. Its `account recover` can't bring
-- one back: the constraint says what an erased account is.

alter table identity.account
  add column erased_at timestamptz, -- null: it is somebody's
  add constraint account_erased_is_nobodys check (
    erased_at is null or (login = 'erased-' || account_id::text and status = 'disabled'));

-- Whom one function, below, erases in this transaction; null: nobody. The setting is worth nothing
-- to anybody else: the policies that ask for it are the owner's, which can't log in, and no other
-- function of the owner's changes these tables.
create function seal.erased() returns uuid language sql stable
  return nullif(current_setting('lanyard.erasing', true), '')::uuid;
revoke execute on function seal.erased() from public;

create policy erased on identity.account for all to lanyard_owner
  using (account_id = seal.erased()) with check (account_id = seal.erased());
create policy erased on identity.password for all to lanyard_owner
  using (account_id = seal.erased()) with check (false);
create policy erased on identity.recovery_link for all to lanyard_owner
  using (account_id = seal.erased()) with check (false);
create policy erased on identity.known_place for all to lanyard_owner
  using (account_id = seal.erased()) with check (false);
create policy erased on identity.session for all to lanyard_owner
  using (account_id = seal.erased()) with check (account_id = seal.erased());
create policy erased on outbox.message for all to lanyard_owner
  using (account_id = seal.erased()) with check (false);
-- As before (0033), and what an agent was called then.
alter policy ended_by_triggers on identity.impersonation
  using (
    case when pg_trigger_depth() > 0 then true
      else tenant_id = seal.tenant() or actor_account_id = seal.erased() end
  )
  with check (
    case when pg_trigger_depth() > 0 then true
      else tenant_id = seal.tenant() or actor_account_id = seal.erased() end
  );

-- What is known of a value alone: guesses at a login before anybody had it.
create index disclosure_by_value on audit.disclosure (value);

-- Nothing but tests called it, and it left what is disclosed of nobody known.
drop function audit.forget_person(uuid);

-- Erases who an account was: its login, its names, its password and what came with it, its mail,
-- and what the logs disclose of it. Everything of it has ended with that, by the triggers on what
-- changes here. Says how much went; no row: there is no such account, or it is erased already.
-- What is left to the caller, who may do it anyway: second factors and memberships.
--
-- - pseudonym_locator: where `erased-<account>` is found, as an operator names it from then on
-- - login_digest: what the logs may have of her login from before it was known
create function identity.erase_account(
  account uuid, pseudonym_locator uuid, login_digest text, at_instant timestamptz
) returns table (sessions bigint, messages bigint, disclosures bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if (seal.job() = 'administer_accounts') is not true then
    raise exception 'only who administers accounts erases one' using errcode = '42501';
  end if;
  perform set_config('lanyard.erasing', account::text, true);
  -- First: with another login, sign-ins under way are waited for, and others wait.
  update identity.account a
    set login = 'erased-' || account::text, login_locator = pseudonym_locator,
      display_name = 'Erased person', status = 'disabled', password_epoch = a.password_epoch + 1,
      erased_at = at_instant
    where a.account_id = account and a.erased_at is null;
  if found then
    with live as (
      update identity.session s set ended_at = at_instant, end_reason = 'administered'
        where s.account_id = account and s.ended_at is null returning 1
    ) select count(*) into sessions from live;
    update identity.session s set device_label = '' where s.account_id = account;
    delete from identity.password p where p.account_id = account;
    delete from identity.recovery_link l where l.account_id = account;
    delete from identity.known_place k where k.account_id = account;
    update identity.impersonation i set actor_name = 'Erased person'
      where i.actor_account_id = account;
    delete from outbox.message m where m.account_id = account;
    get diagnostics messages = row_count;
    perform set_config('lanyard.at_the_log', 'on', true);
    delete from audit.disclosure d
      where d.account_id = account or d.name = 'login_digest' and d.value = login_digest;
    get diagnostics disclosures = row_count;
    perform set_config('lanyard.at_the_log', '', true);
    return next;
  end if;
  perform set_config('lanyard.erasing', '', true);
end $$;
revoke execute on function identity.erase_account(uuid, uuid, text, timestamptz) from public;
grant execute on function identity.erase_account(uuid, uuid, text, timestamptz)
  to lanyard_identity;

insert into audit.event_type (type, plane) values
  ('account.erased', 'identity');
