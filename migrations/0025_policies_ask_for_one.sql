-- A policy looks up the one row that it asks for (docs/decisions/0002).
--
-- `exists` in a policy may be planned as a hash of all rows that could match: for one account, all
-- memberships of its clinic were read, and the seal was asked for each. With OFFSET the planner
-- can't: one row by its key. `tests/api/seal/catalog.rs` holds every policy to it. What is seen and
-- what is not stays the same, for this release and the previous one.

alter policy directory on tenancy.tenant
  using (
    tenant_id = seal.tenant()
    or slug_locator = seal.claimed()
    or exists (
      select from identity.membership m
      where m.tenant_id = tenant.tenant_id and m.account_id = seal.person()
      offset 0
    )
  );
alter policy identity_works on identity.account
  using (
    account_id = seal.person()
    or login_locator = seal.claimed()
    -- The post needs the address to write on the envelope.
    or seal.job() in ('administer_accounts', 'deliver_mail')
    or exists (
      select from identity.membership m
      where m.tenant_id = seal.tenant() and m.account_id = account.account_id
      offset 0
    )
  );
alter policy identity_works on identity.password
  using (
    account_id = seal.person()
    or seal.job() = 'administer_accounts'
    or exists (
      select from identity.account a
      where a.account_id = password.account_id and a.login_locator = seal.claimed()
      offset 0
    )
  );
alter policy identity_works on identity.membership_role
  using (
    tenant_id = seal.tenant()
    or seal.job_for(tenant_id) = 'administer_accounts'
    or exists (
      select from identity.membership m
      where m.tenant_id = membership_role.tenant_id
        and m.subject_id = membership_role.subject_id
        and m.account_id = seal.person()
      offset 0
    )
  );
alter policy identity_works on identity.client_secret
  using (
    tenant_id = seal.tenant()
    or (tenant_id = seal.platform_tenant() and seal.class() = 'grant')
    or seal.job_for(tenant_id) = 'administer_clients'
    or exists (
      select from identity.client c
      where c.tenant_id = client_secret.tenant_id
        and c.client_id = client_secret.client_id
        and c.client_locator = seal.claimed()
      offset 0
    )
  );
alter policy identity_works on identity.session
  using (
    session_id = seal.claimed()
    or account_id = seal.person()
    or exists (
      select from identity.tenant_session t
      where t.tenant_id = seal.tenant() and t.session_id = session.session_id
      offset 0
    )
  )
  with check (
    account_id = seal.person()
    or exists (
      select from identity.tenant_session t
      where t.tenant_id = seal.tenant() and t.session_id = session.session_id
      offset 0
    )
  );
alter policy identity_works on identity.known_place
  using (
    account_id = seal.person()
    or exists (
      select from identity.account a
      where a.account_id = known_place.account_id and a.login_locator = seal.claimed()
      offset 0
    )
  );
alter policy identity_works on identity.tenant_session
  using (
    tenant_id = seal.tenant()
    or exists (
      select from identity.membership m
      where m.tenant_id = tenant_session.tenant_id
        and m.subject_id = tenant_session.subject_id
        and m.account_id = seal.person()
      offset 0
    )
  );
alter policy identity_works on identity.factor_policy
  using (
    tenant_id = seal.tenant()
    or seal.job_for(tenant_id) = 'administer_accounts'
    or exists (
      select from identity.membership m
      where m.tenant_id = factor_policy.tenant_id and m.account_id = seal.person()
      offset 0
    )
  );
alter policy identity_works on identity.recovery_link
  using (
    link_id = seal.claimed()
    or account_id = seal.person()
    or exists (
      select from identity.account a
      where a.account_id = recovery_link.account_id and a.login_locator = seal.claimed()
      offset 0
    )
  )
  with check (
    account_id = seal.person()
    or exists (
      select from identity.account a
      where a.account_id = recovery_link.account_id and a.login_locator = seal.claimed()
      offset 0
    )
  );
