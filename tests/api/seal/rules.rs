//! The rules of design §3 over the catalog, each a query that names what breaks it (RLS-34).

/// What a rule is called, and the query that gives its offenders as text.
pub(super) type Rule = (&'static str, &'static str);

/// `ours (oid, name)`: the schemas that are neither Postgres' nor temporary.
/// `tenants (oid, name)`: the tables with a `tenant_id`. `acl`: every grant in our schemas.
pub(super) const PRELUDE: &str = "
with ours as (
  select oid, nspname as name from pg_namespace
  where nspname not in ('pg_catalog', 'information_schema') and nspname not like 'pg\\_t%'
),
tables as (
  select c.oid, o.name || '.' || c.relname as name, c.relrowsecurity, c.relforcerowsecurity
  from pg_class c join ours o on o.oid = c.relnamespace where c.relkind in ('r', 'p')
),
tenants as (
  select t.oid, t.name, a.attnum, a.attnotnull, a.atttypid
  from tables t join pg_attribute a on a.attrelid = t.oid and a.attname = 'tenant_id'
),
acl as (
  select o.name || '.' || c.relname as object, c.relowner as owner, x.grantee, x.privilege_type
    from pg_class c join ours o on o.oid = c.relnamespace,
      aclexplode(c.relacl) x
  union all
  select o.name || '.' || c.relname || '.' || a.attname, c.relowner, x.grantee, x.privilege_type
    from pg_attribute a join pg_class c on c.oid = a.attrelid
      join ours o on o.oid = c.relnamespace, aclexplode(a.attacl) x
  union all
  select o.name || '.' || p.proname, p.proowner, x.grantee, x.privilege_type
    from pg_proc p join ours o on o.oid = p.pronamespace,
      aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
  union all
  select o.name, n.nspowner, x.grantee, x.privilege_type
    from pg_namespace n join ours o on o.oid = n.oid,
      aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) x
  union all
  select o.name || '.' || t.typname, t.typowner, x.grantee, x.privilege_type
    from pg_type t join ours o on o.oid = t.typnamespace
      left join pg_class c on c.oid = t.typrelid,
      aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) x
    where t.typelem = 0 and (t.typtype <> 'c' or c.relkind = 'c')
)
";

/// Tables that stand before any tenant, or are the same for all; each with its reason.
/// A table with people or secrets in it is here only because no tenant's transaction reaches it
/// but by its own policies.
pub(super) const WITHOUT_TENANT: [(&str, &str); 26] = [
    (
        "revocation.head",
        "one number of the deployment: the last position that was given",
    ),
    (
        "identity.totp",
        "an account's devices for sign-in codes, before any tenant",
    ),
    (
        "identity.recovery_code",
        "an account's, never within a tenant's context",
    ),
    (
        "identity.bootstrap",
        "the first administrator's one-time secret, before any tenant",
    ),
    (
        "identity.data_key",
        "identity's own, ciphertext under the master key; reached by one job alone",
    ),
    (
        "identity.epoch",
        "the deployment's: how often it was restored",
    ),
    (
        "identity.known_place",
        "an account's devices and networks, before any tenant",
    ),
    (
        "apps.credential",
        "a relying party's own; reached by the claim of its id alone",
    ),
    (
        "apps.login",
        "a sign-in under way; reached by the claim of its id alone",
    ),
    (
        "apps.session",
        "a browser's; its clinic is inside the ciphertext; by its claim alone",
    ),
    (
        "audit.erasable_detail",
        "reference data, written by migrations",
    ),
    ("audit.event_type", "reference data, written by migrations"),
    ("audit.log_key", "one issuer per deployment"),
    (
        "identity.account",
        "one human, once, on the whole platform (design §2)",
    ),
    (
        "identity.interaction",
        "a request under way, before its tenant is known",
    ),
    (
        "identity.password",
        "an account's, never within a tenant's context",
    ),
    (
        "identity.lent_permission",
        "reference data, written by migrations",
    ),
    (
        "identity.permission",
        "reference data, written by migrations",
    ),
    ("identity.role", "reference data, written by migrations"),
    (
        "identity.recovery_link",
        "an account's, as a keyed digest, never within a tenant's context",
    ),
    (
        "identity.role_permission",
        "reference data, written by migrations",
    ),
    (
        "identity.session",
        "an account's; as a tenant sees it: identity.tenant_session",
    ),
    ("identity.signing_key", "one issuer per deployment"),
    (
        "identity.throttle",
        "keyed digests, reached by functions alone",
    ),
    ("lanyard._sqlx_migrations", "the migrator's own"),
    (
        "seal.mac_key",
        "a server process's, read by seal.context() alone",
    ),
];

/// Keys of tenant tables that do not begin with `tenant_id`; each with its reason.
pub(super) const OTHER_KEYS: [(&str, &str); 3] = [
    (
        "tenant_slug_is_unique",
        "written by the platform alone, so told to the platform alone",
    ),
    ("tenant_slug_locator_is_unique", "as tenant_slug_is_unique"),
    (
        "client_locator_is_unique",
        "a keyed digest of an id: nobody can aim one at another's",
    ),
];

/// References from tenant tables to what stands before any tenant. What they tell is whether a
/// random id of 122 bits exists, to who already has it.
pub(super) const OTHER_REFERENCES: [(&str, &str); 3] = [
    (
        "membership_account_id_fkey",
        "an account is the platform's; written under a job alone",
    ),
    ("membership_role_role_fkey", "reference data"),
    (
        "tenant_session_session_id_fkey",
        "the session is the account's",
    ),
];

/// Which role may use which schema (design §1).
const USAGE: &str = "(values
  ('seal', 'lanyard_identity'), ('seal', 'lanyard_tenant'), ('seal', 'lanyard_platform'),
  ('seal', 'lanyard_apps'), ('seal', 'lanyard_keeper'), ('seal', 'lanyard_report'),
  ('seal', 'lanyard_directory'), ('identity', 'lanyard_identity'),
  ('clerk', 'lanyard_identity'), ('clerk', 'lanyard_clerk'), ('seal', 'lanyard_clerk'),
  ('identity', 'lanyard_clerk'), ('tenancy', 'lanyard_clerk'), ('audit', 'lanyard_clerk'),
  ('outbox', 'lanyard_clerk'),
  ('seal', 'lanyard_retention'), ('identity', 'lanyard_retention'),
  ('outbox', 'lanyard_retention'), ('apps', 'lanyard_retention'),
  ('identity', 'lanyard_directory'), ('tenancy', 'lanyard_tenant'),
  ('tenancy', 'lanyard_platform'), ('tenancy', 'lanyard_directory'), ('visits', 'lanyard_tenant'),
  ('apps', 'lanyard_apps'), ('outbox', 'lanyard_identity'), ('outbox', 'lanyard_tenant'),
  ('revocation', 'lanyard_identity'), ('revocation', 'lanyard_retention'),
  ('outbox', 'lanyard_platform'), ('audit', 'lanyard_identity'), ('audit', 'lanyard_tenant'),
  ('audit', 'lanyard_platform'), ('audit', 'lanyard_apps'), ('lanyard', 'lanyard_keeper'),
  ('seal', 'lanyard_sequencer'), ('audit', 'lanyard_sequencer')
) u (name, role)";

/// Rules whose query needs nothing but the prelude.
pub(super) const RULES: [Rule; 22] = [
    (
        "RLS-02: every table has ENABLE and FORCE ROW LEVEL SECURITY",
        "select name from tables where not (relrowsecurity and relforcerowsecurity)
           and name not in ('seal.mac_key', 'lanyard._sqlx_migrations')",
    ),
    (
        "RLS-13: one permissive policy a table, command and role",
        "select distinct t.name || ' for ' || coalesce(r.role::regrole::text, '?')
         from tables t
         join (select polrelid, oid, polcmd, unnest(polroles) as role
           from pg_policy where polpermissive) r on r.polrelid = t.oid
         join (select polrelid, oid, polcmd, unnest(polroles) as role
           from pg_policy where polpermissive) s on s.polrelid = t.oid and s.role = r.role
             and s.oid <> r.oid and (s.polcmd = r.polcmd or '*' in (s.polcmd, r.polcmd))",
    ),
    (
        "no policy is for PUBLIC, and none of a tenant's table asks nothing of the seal",
        "select t.name || ': ' || p.polname
         from pg_policy p join tables t on t.oid = p.polrelid
         where 0 = any (p.polroles)
           or t.oid in (select oid from tenants)
             and coalesce(pg_get_expr(p.polqual, p.polrelid), 'seal.') !~ 'seal\\.'
           or t.oid in (select oid from tenants)
             and coalesce(nullif(pg_get_expr(p.polwithcheck, p.polrelid), 'false'), 'seal.')
               !~ 'seal\\.'",
    ),
    (
        "policies ask the seal without a sub-select (Citus; one-time filter)",
        "select t.name || ': ' || p.polname from pg_policy p join tables t on t.oid = p.polrelid
         where pg_get_expr(p.polqual, p.polrelid) ~* '\\( *select seal\\.'
           or pg_get_expr(p.polwithcheck, p.polrelid) ~* '\\( *select seal\\.'",
    ),
    (
        "policies look up one row: `exists` without OFFSET may be planned as a hash of a clinic",
        "select t.name || ': ' || p.polname
         from pg_policy p join tables t on t.oid = p.polrelid
           cross join concat(pg_get_expr(p.polqual, p.polrelid),
             pg_get_expr(p.polwithcheck, p.polrelid)) as said
         where 'lanyard_retention'::regrole <> all (p.polroles)
           and regexp_count(said, 'EXISTS') <> regexp_count(said, 'OFFSET 0')",
    ),
    (
        "RLS-14: tenant_id is a uuid and never null",
        "select name from tenants where not attnotnull or atttypid <> 'uuid'::regtype",
    ),
    (
        "RLS-20: every key and unique index of a tenant's table begins with tenant_id",
        "select t.name || ': ' || i.indexrelid::regclass::text
         from tenants t join pg_index i on i.indrelid = t.oid
           join pg_class c on c.oid = i.indexrelid
         where (i.indisunique or i.indisexclusion) and i.indkey[0] <> t.attnum
           and c.relname <> all ($2)",
    ),
    (
        "every tenant's table has a primary key",
        "select t.name from tenants t where not exists (
           select from pg_index i where i.indrelid = t.oid and i.indisprimary)",
    ),
    (
        "RLS-18: every reference from or to a tenant's table begins with tenant_id on both sides",
        "select t.conrelid::regclass || ': ' || t.conname
         from pg_constraint t
         where t.contype = 'f' and t.conname <> all ($3)
           and (t.conrelid in (select oid from tenants) or t.confrelid in (select oid from tenants))
           and not exists (
             select from tenants a, tenants b
             where a.oid = t.conrelid and b.oid = t.confrelid
               and a.attnum = t.conkey[1] and b.attnum = t.confkey[1])",
    ),
    (
        "a table without tenant_id is in the reviewed list",
        "select name from tables where oid not in (select oid from tenants) and name <> all ($1)",
    ),
    (
        "RLS-15: a view asks as its caller or belongs to lanyard_directory or lanyard_report",
        "select o.name || '.' || c.relname from pg_class c join ours o on o.oid = c.relnamespace
         where c.relkind = 'v'
           and not coalesce('security_invoker=true' = any (c.reloptions), false)
           and c.relowner <> all (array['lanyard_directory', 'lanyard_report']::regrole[])",
    ),
    (
        "no materialized view, foreign table or sequence",
        "select o.name || '.' || c.relname from pg_class c join ours o on o.oid = c.relnamespace
         where c.relkind in ('m', 'f', 'S')",
    ),
    (
        "RLS-16: a definer function belongs to an owner and its search_path ends in pg_temp",
        "select o.name || '.' || p.proname from pg_proc p join ours o on o.oid = p.pronamespace
         where p.prosecdef and (p.proowner <> all (
             array['lanyard_owner', 'lanyard_clerk', 'lanyard_retention']::regrole[])
           or not exists (select from unnest(p.proconfig) s
             where s ~ '^search_path=pg_catalog, (.*, )?pg_temp$'))",
    ),
    (
        "no function is leakproof or of an untrusted language",
        "select o.name || '.' || p.proname from pg_proc p join ours o on o.oid = p.pronamespace
           join pg_language l on l.oid = p.prolang
         where p.proleakproof or l.lanname not in ('sql', 'plpgsql')",
    ),
    (
        "nothing is granted to PUBLIC or to a role that is not ours",
        "select object || ': ' || privilege_type || ' to '
             || coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC')
         from acl where grantee <> owner and object not like 'public%' and (grantee = 0
           or pg_get_userbyid(grantee) <> all (array['lanyard_identity', 'lanyard_tenant',
             'lanyard_platform', 'lanyard_apps', 'lanyard_sequencer', 'lanyard_keeper',
             'lanyard_directory',
             'lanyard_report', 'lanyard_clerk', 'lanyard_retention', 'lanyard_owner']))",
    ),
    (
        "RLS-27: no TRUNCATE, REFERENCES, TRIGGER or CREATE but the owner's",
        "select object || ': ' || privilege_type || ' to ' || grantee::regrole
         from acl where grantee <> owner and grantee <> 0
           and privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'CREATE')",
    ),
    (
        "everything belongs to lanyard_owner; views, tokens and purges to those made for them",
        "select o.name || '.' || c.relname from pg_class c join ours o on o.oid = c.relnamespace
         where c.relowner <> all (case when c.relkind in ('v')
           then array['lanyard_owner', 'lanyard_directory', 'lanyard_report']::regrole[]
           else array['lanyard_owner']::regrole[] end)
         union all
         select o.name || '.' || p.proname from pg_proc p join ours o on o.oid = p.pronamespace
         where p.proowner <> (case when o.name = 'clerk' then 'lanyard_clerk'
           when p.proname like 'purge\\_%' then 'lanyard_retention'
           else 'lanyard_owner' end)::regrole
         union all
         select o.name from pg_namespace n join ours o on o.oid = n.oid
         where n.nspowner <> 'lanyard_owner'::regrole and o.name <> 'public'",
    ),
    (
        "RLS-34: default privileges give nothing",
        "select d.defaclobjtype::text || ' of ' || d.defaclrole::regrole
         from pg_default_acl d, aclexplode(d.defaclacl) x where x.grantee <> d.defaclrole",
    ),
    (
        "no rule, event trigger, publication, inheritance or extension of another",
        "select o.name || '.' || c.relname from pg_rewrite r join pg_class c on c.oid = r.ev_class
           join ours o on o.oid = c.relnamespace where r.rulename <> '_RETURN'
         union all select evtname from pg_event_trigger
         union all select pubname from pg_publication
         union all select extname from pg_extension where extname <> 'plpgsql'
         union all select inhrelid::regclass::text from pg_inherits
           join pg_class c on c.oid = inhrelid
            where c.relkind in ('r', 'f') and not c.relispartition",
    ),
    (
        "RLS-01: serving roles are weak, own nothing and are members of nothing",
        "select r.rolname from pg_roles r
         where r.rolname in ('lanyard_identity', 'lanyard_tenant', 'lanyard_platform',
             'lanyard_apps', 'lanyard_sequencer', 'lanyard_keeper')
           and (r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb
             or r.rolreplication or r.rolinherit
             or exists (select from pg_auth_members m where m.member = r.oid)
             or exists (select from pg_shdepend d where d.refobjid = r.oid
               and d.refclassid = 'pg_authid'::regclass and d.deptype = 'o'))",
    ),
    (
        "owning roles can't log in, stand above no policy, and nobody is a member of them",
        "select r.rolname from pg_roles r
         where r.rolname in ('lanyard_owner', 'lanyard_report', 'lanyard_directory',
             'lanyard_clerk', 'lanyard_retention')
           and (r.rolsuper or r.rolbypassrls or r.rolcanlogin or r.rolcreaterole or r.rolcreatedb
             or r.rolreplication or exists (select from pg_auth_members m
               where m.roleid = r.oid and m.member <> 'lanyard_owner'::regrole))",
    ),
    (
        "the secrets of the seal are the owner's alone",
        "select object || ' to ' || coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC') from acl
         where object like 'seal.mac_key%' and grantee <> owner
         union all
         select object || ' to ' || grantee::regrole from acl
         where object in ('seal.register', 'seal.retire') and grantee <> owner
           and grantee <> 'lanyard_keeper'::regrole",
    ),
];

/// Design §1: each role uses its plane's schemas and no others.
pub(super) fn schemas_per_plane() -> Rule {
    static QUERY: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        format!(
            "select object || ' by ' || coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC')
             from acl join ours on ours.name = acl.object
             where privilege_type = 'USAGE' and grantee <> owner
               and not exists (select from {USAGE} where u.name = object
                 and u.role = pg_get_userbyid(grantee))"
        )
    });
    (
        "each role uses its plane's schemas and no others",
        QUERY.as_str(),
    )
}
