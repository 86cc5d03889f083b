-- Where a clinic's administrators decide whether support may act, they are written to when it asks:
-- each active one but the person herself, who can't say yes for her clinic. Nothing of the person
-- is in it.
alter policy opened on outbox.message
  with check (seal.is_opened(tenant_id) and kind in ('emergency_opened', 'support_asks_clinic'));

create function clerk.tell_of_a_request() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform set_config('lanyard.opened', array[new.tenant_id]::text, true);
  perform set_config('lanyard.claimed', coalesce((
    select array_agg(m.account_id)::text
    from identity.membership m
    join identity.membership_role r on r.tenant_id = m.tenant_id and r.subject_id = m.subject_id
    where m.tenant_id = new.tenant_id and r.role = 'clinic_admin'
  ), ''), true);
  insert into outbox.message
      (tenant_id, message_id, account_id, kind, parameters, created_at)
    select new.tenant_id, gen_random_uuid(), m.account_id, 'support_asks_clinic',
      jsonb_build_object('clinic', t.name), new.requested_at
    from identity.membership m
    join identity.membership_role r on r.tenant_id = m.tenant_id and r.subject_id = m.subject_id
    join identity.account a on a.account_id = m.account_id
    join tenancy.tenant t on t.tenant_id = m.tenant_id
    where m.tenant_id = new.tenant_id and r.role = 'clinic_admin'
      and m.subject_id <> new.subject_id and m.status = 'active' and a.status = 'active';
  perform set_config('lanyard.opened', '', true), set_config('lanyard.claimed', '', true);
  return null;
end $$;
revoke execute on function clerk.tell_of_a_request() from public;
create trigger administrators_are_asked after insert on identity.impersonation
  for each row when (new.state = 'requested' and new.rule = 'approval_by_admin')
  execute function clerk.tell_of_a_request();
grant create on schema clerk to lanyard_clerk;
alter function clerk.tell_of_a_request() owner to lanyard_clerk;
revoke create on schema clerk from lanyard_clerk;
