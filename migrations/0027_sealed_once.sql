-- The seal is asked once where it was asked several times (docs/decisions/0002).
--
-- What a policy sees and what it doesn't is what it was; so the previous release sees no difference.

-- Whether a row is the one that class `claim` may see, or one of class `account`'s own:
-- `locator = seal.claimed() or account_id = seal.person()`, asked once.
create function seal.opens(locator uuid, account_id uuid) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare content constant seal.content := seal.context();
begin
  return case content.class
    when 'claim' then content.locator = opens.locator
    when 'account' then content.account = opens.account_id
  end;
end $$;
revoke execute on function seal.opens(uuid, uuid) from public;
grant execute on function seal.opens(uuid, uuid) to lanyard_identity;

alter policy identity_works on identity.account
  using (
    seal.opens(login_locator, account_id)
    -- The post needs the address to write on the envelope.
    or seal.job() in ('administer_accounts', 'deliver_mail')
    or exists (
      select from identity.membership m
      where m.tenant_id = seal.tenant() and m.account_id = account.account_id
      offset 0
    )
  );
alter policy identity_works on identity.session
  using (
    seal.opens(session_id, account_id)
    or exists (
      select from identity.tenant_session t
      where t.tenant_id = seal.tenant() and t.session_id = session.session_id
      offset 0
    )
  );
alter policy identity_works on identity.recovery_link
  using (
    seal.opens(link_id, account_id)
    or exists (
      select from identity.account a
      where a.account_id = recovery_link.account_id and a.login_locator = seal.claimed()
      offset 0
    )
  );
-- Who claims the login asks most often.
alter policy identity_works on identity.password
  using (
    account_id = seal.person()
    or exists (
      select from identity.account a
      where a.account_id = password.account_id and a.login_locator = seal.claimed()
      offset 0
    )
    or seal.job() = 'administer_accounts'
  );

-- A person's live sessions, as she alone may list them: with `account_id = $1` in the query the
-- seal is asked once for all of them.
create policy directory on identity.session for select to lanyard_directory
  using (account_id = seal.person());
grant select on identity.session to lanyard_directory;
create view identity.live_session as
  select session_id, account_id, active_at from identity.session where ended_at is null;
grant select on identity.live_session to lanyard_identity;
grant create on schema identity to lanyard_directory;
alter view identity.live_session owner to lanyard_directory;
revoke create on schema identity from lanyard_directory;

-- Whether a session of Postgres' may be another transaction's next, as far as a statement can tell:
-- one that was prepared by SQL could stand under a name of the driver's. In a function, it is
-- planned once for a connection and not at each transaction.
create function seal.is_clean() returns boolean language plpgsql stable
set search_path = pg_catalog, pg_temp as $$
begin
  return not exists (select from pg_prepared_statement() s where s.from_sql);
end $$;
revoke execute on function seal.is_clean() from public;
grant execute on function seal.is_clean() to
  lanyard_identity, lanyard_tenant, lanyard_platform, lanyard_apps;
