-- The sealed context (docs/decisions/0002): who a transaction is for, under a MAC that no serving
-- role can make. Every policy asks seal.context(); a missing, forged or expired one is an error.
create schema seal;
create schema identity;
create schema tenancy;
create schema visits;
create schema apps;
create schema outbox;
create schema audit;

grant usage on schema seal to
  lanyard_identity, lanyard_tenant, lanyard_platform, lanyard_apps, lanyard_keeper,
  lanyard_report, lanyard_directory;
grant usage on schema identity to lanyard_identity, lanyard_directory;
grant usage on schema tenancy to lanyard_tenant, lanyard_directory;
grant usage on schema visits to lanyard_tenant;
grant usage on schema apps to lanyard_apps;
grant usage on schema outbox to lanyard_identity, lanyard_tenant, lanyard_platform;
grant usage on schema audit to
  lanyard_identity, lanyard_tenant, lanyard_platform, lanyard_apps;

-- The two halves of each process's HMAC key (RFC 2104: the key xor ipad, the key xor opad), so
-- that core Postgres, which has sha256 but no hmac, can check a MAC. Only the owner reads it.
create table seal.mac_key (
  key_id text primary key check (key_id ~ '^[0-9a-f]{16}$'),
  inner_pad bytea not null check (octet_length(inner_pad) = 64),
  outer_pad bytea not null check (octet_length(outer_pad) = 64),
  expires_at timestamptz not null
);

-- Registers one process's key, in real time; forgets those whose last context has expired.
create function seal.register(key_id text, inner_pad bytea, outer_pad bytea, lifetime interval)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if (lifetime <= interval '25 hours') is not true then
    raise exception 'a seal key lives 25 hours at most' using errcode = '22023';
  end if;
  delete from seal.mac_key k where k.expires_at <= clock_timestamp();
  insert into seal.mac_key values (key_id, inner_pad, outer_pad, clock_timestamp() + lifetime);
end $$;
revoke execute on function seal.register(text, bytea, bytea, interval) from public;
grant execute on function seal.register(text, bytea, bytea, interval) to lanyard_keeper;

-- Lets one key end when the last context under it has: after a renewal, or when a process ends.
create function seal.retire(key_id text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from seal.mac_key k where k.expires_at <= clock_timestamp();
  update seal.mac_key k
    set expires_at = least(k.expires_at, clock_timestamp() + interval '60 seconds')
    where k.key_id = retire.key_id;
end $$;
revoke execute on function seal.retire(text) from public;
grant execute on function seal.retire(text) to lanyard_keeper;

create type seal.content as (
  class text,      -- one access class, or claim, account, grant, job
  tenant uuid,
  account uuid,
  subject uuid,
  actor uuid,
  locator uuid,    -- under class claim: the only row that may be seen
  purpose text,    -- purpose of use; under class job: the job's name
  mode text        -- rw or ro
);
revoke usage on type seal.content from public;

-- The content of the transaction's context.
-- Format: 1|key id|class|tenant|account|subject|actor|locator|purpose|mode|unix expiry|mac hex,
-- a field with nothing in it is empty. The MAC covers everything before its bar.
-- Stable, and called in policies without a sub-select: with `tenant_id = $1` in the query Postgres
-- checks it once, as a one-time filter.
create function seal.context() returns seal.content
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  sealed constant text := current_setting('lanyard.context', true);
  part text[];
  inner_key bytea;
  outer_key bytea;
  expected text;
  expires_at timestamptz;
begin
  -- Never set: null. Set in an earlier transaction of this connection: the empty string.
  if sealed is null or sealed = '' or octet_length(sealed) > 1000 then
    raise exception 'no sealed context' using errcode = '42501';
  end if;
  part := string_to_array(sealed, '|');
  if cardinality(part) is distinct from 12 or part[1] is distinct from '1' then
    raise exception 'no sealed context' using errcode = '42501';
  end if;
  select k.inner_pad, k.outer_pad into inner_key, outer_key
    from seal.mac_key k
    where k.key_id = part[2] and k.expires_at > clock_timestamp();
  if not found then
    raise exception 'no sealed context' using errcode = '42501';
  end if;
  expected := encode(sha256(outer_key || sha256(inner_key
    || convert_to(array_to_string(part[1:11], '|'), 'UTF8'))), 'hex');
  -- Hashed once more, so that the time of the comparison says nothing about the MAC.
  if sha256(convert_to(expected, 'UTF8')) is distinct from sha256(convert_to(part[12], 'UTF8')) then
    raise exception 'no sealed context' using errcode = '42501';
  end if;
  -- Ours from here on: the MAC was right, so the fields have their types.
  expires_at := to_timestamp(part[11]::bigint);
  if expires_at <= clock_timestamp() then
    raise exception 'sealed context expired' using errcode = '42501';
  end if;
  -- A server whose clock runs ahead gets no longer context than any other.
  if expires_at > clock_timestamp() + interval '60 seconds' then
    raise exception 'sealed context from the future' using errcode = '42501';
  end if;
  -- BEGIN READ ONLY can be taken back by a statement; the context can't.
  if part[10] <> 'rw' and current_setting('transaction_read_only') <> 'on' then
    raise exception 'sealed context is read only' using errcode = '42501';
  end if;
  return (part[3], nullif(part[4], '')::uuid, nullif(part[5], '')::uuid, nullif(part[6], '')::uuid,
    nullif(part[7], '')::uuid, nullif(part[8], '')::uuid, nullif(part[9], ''), part[10])
    ::seal.content;
end $$;

create function seal.tenant() returns uuid language sql stable
  return (seal.context()).tenant;
create function seal.account() returns uuid language sql stable
  return (seal.context()).account;
create function seal.subject() returns uuid language sql stable
  return (seal.context()).subject;
create function seal.class() returns text language sql stable
  return (seal.context()).class;
-- The one row that class `claim` may see; null, so nothing, under every other class.
create function seal.claimed() returns uuid language plpgsql stable
set search_path = pg_catalog, pg_temp as $$
declare content constant seal.content := seal.context();
begin
  return case when content.class = 'claim' then content.locator end;
end $$;
-- The account of class `account`, which stands before any tenant; null under every other class.
create function seal.person() returns uuid language plpgsql stable
set search_path = pg_catalog, pg_temp as $$
declare content constant seal.content := seal.context();
begin
  return case when content.class = 'account' then content.account end;
end $$;
-- The name of a system job that was sealed for no tenant, or null.
create function seal.job() returns text language plpgsql stable
set search_path = pg_catalog, pg_temp as $$
declare content constant seal.content := seal.context();
begin
  return case
    when content.class = 'job' and content.tenant is null then content.purpose
  end;
end $$;
-- The same for a row of one tenant: a job that was sealed for a tenant is a job there alone.
create function seal.job_for(tenant_id uuid) returns text language plpgsql stable
set search_path = pg_catalog, pg_temp as $$
declare content constant seal.content := seal.context();
begin
  return case
    when content.class = 'job' and coalesce(content.tenant = job_for.tenant_id, true)
    then content.purpose
  end;
end $$;

-- For hosts that let every session read every statement's text: the context as a bound parameter.
create function seal.open(context text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform set_config('lanyard.context', context, true);
end $$;

revoke execute on all functions in schema seal from public;
grant execute on function
  seal.context(), seal.tenant(), seal.account(), seal.subject(), seal.class(), seal.claimed(),
  seal.person(), seal.job(), seal.job_for(uuid)
  to lanyard_identity, lanyard_tenant, lanyard_platform, lanyard_apps,
     lanyard_report, lanyard_directory;
-- seal.open is granted by `lanyard migrate` only where the host keeps set_config for PUBLIC.

-- Whatever a later migration makes gives PUBLIC nothing.
alter default privileges revoke execute on functions from public;
alter default privileges revoke usage on types from public;
