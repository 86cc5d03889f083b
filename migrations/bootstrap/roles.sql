-- The cluster's roles, made by an administrator; repeatable. Why so many: each serving role sees
-- its plane's schemas and no others (docs/decisions/0002). None owns, inherits or bypasses.
do $$
declare
  -- name, may log in
  wanted constant text[][] := array[
    ['lanyard_owner', 'nologin'],      -- owns every object and runs migrations, never serves
    ['lanyard_report', 'nologin'],     -- owns the platform's cross-tenant views
    ['lanyard_directory', 'nologin'],  -- owns the views between planes, under the seal
    ['lanyard_clerk', 'nologin'],      -- issues tokens, by functions that ask the seal first
    ['lanyard_retention', 'nologin'],  -- deletes what is dead, by functions, and sees only that
    ['lanyard_identity', 'login'],
    ['lanyard_tenant', 'login'],
    ['lanyard_platform', 'login'],
    ['lanyard_apps', 'login'],         -- our own relying parties' sessions
    ['lanyard_sequencer', 'login'],    -- moves events into the logs; no request reaches it
    ['lanyard_keeper', 'login']        -- registers seal keys and can do nothing else
  ];
  pair text[];
begin
  foreach pair slice 1 in array wanted loop
    if not exists (select from pg_catalog.pg_roles where rolname = pair[1]) then
      execute format('create role %I', pair[1]);
    end if;
    execute format(
      'alter role %I %s nocreaterole nocreatedb noinherit', pair[1], pair[2]);
  end loop;
end $$;

-- The owner hands views over to these two; with NOINHERIT it gains none of their rights by that.
grant lanyard_report, lanyard_directory to lanyard_owner;
-- And functions to these.
grant lanyard_clerk, lanyard_retention to lanyard_owner;

alter role lanyard_identity set statement_timeout = '10s';
alter role lanyard_tenant set statement_timeout = '10s';
alter role lanyard_platform set statement_timeout = '10s';
alter role lanyard_apps set statement_timeout = '10s';
alter role lanyard_sequencer set statement_timeout = '10s';
alter role lanyard_keeper set statement_timeout = '10s';
-- Every statement of theirs goes by a key. Planned for each call, it costs more than it takes.
alter role lanyard_identity set plan_cache_mode = 'force_generic_plan';
alter role lanyard_tenant set plan_cache_mode = 'force_generic_plan';
alter role lanyard_platform set plan_cache_mode = 'force_generic_plan';
alter role lanyard_apps set plan_cache_mode = 'force_generic_plan';
alter role lanyard_identity set idle_in_transaction_session_timeout = '15s';
alter role lanyard_tenant set idle_in_transaction_session_timeout = '15s';
alter role lanyard_platform set idle_in_transaction_session_timeout = '15s';
alter role lanyard_apps set idle_in_transaction_session_timeout = '15s';
alter role lanyard_sequencer set idle_in_transaction_session_timeout = '15s';
alter role lanyard_keeper set idle_in_transaction_session_timeout = '15s';
