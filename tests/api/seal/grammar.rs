//! Random SQL over the real catalog: every relation and function that is there today.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::planted::Owner;

/// A small generator of numbers (SplitMix64): the same seed, the same statements.
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

#[derive(Clone, Debug)]
struct Relation {
    name: String,
    is_readable: bool,
    /// Name and type.
    columns: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct Function {
    name: String,
    arguments: Vec<String>,
    result: String,
}

/// What there is to speak of.
#[derive(Debug)]
pub(super) struct Catalog {
    relations: Vec<Relation>,
    /// Those that the role may read: most statements speak of them.
    readable: Vec<Relation>,
    /// Of our schemas: few among Postgres' thousands, so they are asked as often as all those.
    ours: Vec<Function>,
    by_result: HashMap<String, Vec<Function>>,
}

const TYPES: [&str; 8] = [
    "text",
    "integer",
    "uuid",
    "boolean",
    "timestamp with time zone",
    "bytea",
    "jsonb",
    "text[]",
];

impl Catalog {
    /// Ours whole; of Postgres' own what lists sessions, and the functions over our types that
    /// neither wait, write to disk, nor make megabytes.
    pub(super) async fn read(boss: &mut PgConnection, role: &str) -> Self {
        let relations: Vec<(String, bool, Vec<String>, Vec<String>)> = sqlx::query_as(
            "select c.oid::regclass::text, bool_and(has_schema_privilege($1, n.oid, 'usage')
                 and has_any_column_privilege($1, c.oid, 'select')),
               array_agg(quote_ident(a.attname) order by a.attnum),
               array_agg(format_type(a.atttypid, -1) order by a.attnum)
             from pg_class c join pg_namespace n on n.oid = c.relnamespace
               join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             where c.relkind in ('r', 'p', 'v')
               and (n.nspname not in ('pg_catalog', 'information_schema')
                   and n.nspname not like 'pg\\_t%'
                 or c.relname in ('pg_stat_activity', 'pg_prepared_statements', 'pg_cursors',
                   'pg_settings', 'pg_roles', 'pg_stats', 'pg_largeobject', 'pg_locks'))
             group by c.oid order by 1",
        )
        .bind(role)
        .fetch_all(&mut *boss)
        .await
        .unwrap();
        let functions = functions(boss, role).await;
        let (mut ours, mut by_result) = (Vec::new(), HashMap::new());
        for (name, arguments, result) in functions {
            let function = Function {
                name,
                arguments,
                result,
            };
            if !function.name.starts_with("pg_catalog.") {
                ours.push(function.clone());
            }
            let of_kind: &mut Vec<Function> = by_result.entry(function.result.clone()).or_default();
            of_kind.push(function);
        }
        let relation =
            |(name, is_readable, names, types): (_, _, Vec<String>, Vec<String>)| Relation {
                name,
                is_readable,
                columns: names.into_iter().zip(types).collect(),
            };
        let relations: Vec<Relation> = relations.into_iter().map(relation).collect();
        Self {
            readable: relations
                .iter()
                .filter(|one| one.is_readable)
                .cloned()
                .collect(),
            relations,
            ours,
            by_result,
        }
    }

    /// How many relations and functions there are.
    pub(super) fn size(&self) -> (usize, usize) {
        (
            self.relations.len(),
            self.by_result.values().map(Vec::len).sum(),
        )
    }
}

/// Name, types of the arguments, type of the result.
async fn functions(boss: &mut PgConnection, role: &str) -> Vec<(String, Vec<String>, String)> {
    sqlx::query_as(
        "select n.nspname || '.' || quote_ident(p.proname),
               array(select format_type(t, -1) from unnest(p.proargtypes) t),
               format_type(p.prorettype, -1)
             from pg_proc p join pg_namespace n on n.oid = p.pronamespace
             where p.prokind = 'f' and n.nspname <> 'information_schema'
               and not exists (select from unnest(p.proargtypes) t
                 where format_type(t, -1) <> all ($1 || array['interval']))
               and (format_type(p.prorettype, -1) = any ($1) or n.nspname <> 'pg_catalog')
               and p.prorettype <> 'trigger'::regtype
               and (has_function_privilege($2, p.oid, 'execute') or n.nspname <> 'pg_catalog')
               and (n.nspname <> 'pg_catalog' or p.proname !~
                 '^(pg_sleep|repeat|lpad|rpad|generate|current_query)'
                 and p.proname !~ '^pg_(log|export|current_wal|import)'
                 and p.proname !~ '(send|recv|_in|_out)$')
             order by 1, 2",
    )
    .bind(TYPES)
    .bind(role)
    .fetch_all(boss)
    .await
    .unwrap()
}

/// Makes statements.
pub(super) struct Grammar<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) random: Random,
}

/// A relation under its alias.
type Scope<'a> = Vec<(String, &'a Relation)>;

impl<'a> Grammar<'a> {
    /// One statement.
    pub(super) fn statement(&mut self) -> String {
        match self.random.below(100) {
            0..60 => self.query(3),
            60..75 => self.writing(),
            75..80 => format!("explain (analyze, verbose, costs off) {}", self.query(2)),
            80..84 => self.cursor(),
            84..88 => self.prepared(),
            88..91 => format!("copy ({}) to stdout", self.query(2)),
            91..94 => self.block(),
            _ => self.setting(),
        }
    }

    fn relation(&mut self) -> &'a Relation {
        let catalog = self.catalog;
        let of = if self.random.one_in(12) || catalog.readable.is_empty() {
            &catalog.relations
        } else {
            &catalog.readable
        };
        self.random.pick(of)
    }

    fn query(&mut self, depth: usize) -> String {
        let columns = 1 + self.random.below(2);
        let mut query = self.select(depth, columns);
        while self.random.one_in(4) {
            let operation = self
                .random
                .pick(&["union", "union all", "except", "intersect all"]);
            query = format!("{query} {operation} {}", self.select(depth, columns));
        }
        if self.random.one_in(5) {
            let how = *self.random.pick(&["", "materialized", "not materialized"]);
            let inner = if self.random.one_in(4) {
                self.returning()
            } else {
                self.select(1, 1)
            };
            let how = if inner.starts_with("(select") {
                how
            } else {
                ""
            };
            query = format!("with w (c) as {how} ({inner}) (select c from w) union all ({query})");
            if columns > 1 {
                query = query.replacen("(select c from w)", "(select c, c from w)", 1);
            }
        }
        query
    }

    fn select(&mut self, depth: usize, columns: usize) -> String {
        let mut scope: Scope<'a> = Vec::new();
        let mut from = String::new();
        for n in 0..=self.random.below(3) {
            let relation = self.relation();
            let alias = format!("t{depth}{n}");
            let source = match self.random.below(6) {
                0 => format!("(select * from {}) {alias}", relation.name),
                1 if n > 0 => format!("lateral (select * from {}) {alias}", relation.name),
                _ => format!("{} {alias}", relation.name),
            };
            let joined = [", ", " cross join ", " left join ", " full join ", " join "];
            let join = if n == 0 {
                ""
            } else {
                *self.random.pick(&joined)
            };
            from.push_str(join);
            from.push_str(&source);
            scope.push((alias, relation));
            if join.trim().ends_with("join") && join != " cross join " {
                let on = if join == " full join " {
                    "true".to_owned()
                } else {
                    self.expression("boolean", &scope, depth.saturating_sub(1))
                };
                from.push_str(" on ");
                from.push_str(&on);
            }
        }
        let mut targets = Vec::new();
        for _ in 0..columns {
            targets.push(self.target(&scope, depth));
        }
        let mut select = format!("select {} from {from}", targets.join(", "));
        if self.random.one_in(2) {
            let condition = self.expression("boolean", &scope, depth);
            select = format!("{select} where {condition}");
        }
        format!("(select * from ({select} limit 50) l{depth})")
    }

    fn target(&mut self, scope: &Scope<'a>, depth: usize) -> String {
        let alias = &self.random.pick(scope).0.clone();
        match self.random.below(6) {
            0 => format!("{alias}::text"),
            1 => format!("row_to_json({alias})::text"),
            2 => format!(
                "(select string_agg(x::text, '|') from {} x)",
                self.relation().name
            ),
            _ => {
                let kind = *self.random.pick(&TYPES);
                format!("({})::text", self.expression(kind, scope, depth))
            }
        }
    }

    fn expression(&mut self, kind: &str, scope: &Scope<'a>, depth: usize) -> String {
        if depth == 0 {
            return self.leaf(kind, scope);
        }
        let deeper = depth - 1;
        match self.random.below(9) {
            0 | 1 => self.call(kind, scope, deeper),
            2 if kind == "boolean" => {
                let side = *self.random.pick(&TYPES);
                let left = self.expression(side, scope, deeper);
                let right = self.expression(side, scope, deeper);
                let operator = *self
                    .random
                    .pick(&["=", "<>", "<", ">=", "is distinct from"]);
                format!("({left} {operator} {right})")
            }
            3 if kind == "boolean" => {
                let left = self.expression("boolean", scope, deeper);
                let right = self.expression("boolean", scope, deeper);
                format!("({left} {} {right})", self.random.pick(&["and", "or"]))
            }
            4 if kind == "boolean" => format!("exists {}", self.select(deeper, 1)),
            5 => {
                let condition = self.expression("boolean", scope, deeper);
                let yes = self.expression(kind, scope, deeper);
                let no = self.leaf(kind, scope);
                format!("(case when {condition} then {yes} else {no} end)")
            }
            6 => format!("({})::{kind}", self.expression("text", scope, deeper)),
            7 => format!("(select ({})::{kind} limit 1)", self.leaf(kind, scope)),
            8 if kind == "text" => {
                format!("(select max(s.c) from ({}) s (c))", self.select(deeper, 1))
            }
            _ => self.leaf(kind, scope),
        }
    }

    fn call(&mut self, kind: &str, scope: &Scope<'a>, depth: usize) -> String {
        let catalog = self.catalog;
        let fitting = catalog.by_result.get(kind);
        let function = match fitting {
            Some(fitting) if !self.random.one_in(6) => self.random.pick(fitting),
            _ => self.random.pick(&catalog.ours),
        };
        let arguments: Vec<String> = function
            .arguments
            .iter()
            .map(|argument| self.expression(argument, scope, depth.min(1)))
            .collect();
        let call = format!("{}({})", function.name, arguments.join(", "));
        if function.result == kind {
            call
        } else {
            format!("(({call})::text)::{kind}")
        }
    }

    fn leaf(&mut self, kind: &str, scope: &Scope<'a>) -> String {
        let columns: Vec<String> = scope
            .iter()
            .flat_map(|(alias, relation)| {
                let of_kind = relation.columns.iter().filter(|(_, other)| other == kind);
                of_kind.map(move |(name, _)| format!("{alias}.{name}"))
            })
            .collect();
        if !columns.is_empty() && !self.random.one_in(4) {
            let column = self.random.pick(&columns);
            return column.clone();
        }
        self.literal(kind)
    }

    fn literal(&mut self, kind: &str) -> String {
        let own = [
            Owner::A.tenant(),
            Owner::A.id("subject_id", 1),
            Owner::A.id("account_id", 1),
        ];
        match kind {
            "text" => {
                let words = [
                    "'alphadog'",
                    "'%'",
                    "''",
                    "'a'",
                    "'lanyard.context'",
                    "'%ary%'",
                ];
                (*self.random.pick(&words)).to_owned()
            }
            "integer" => self.random.below(5).to_string(),
            "uuid" => format!("'{}'::uuid", self.random.pick(&own)),
            "boolean" => (*self.random.pick(&["true", "false", "null::boolean"])).to_owned(),
            "timestamp with time zone" => "clock_timestamp()".to_owned(),
            "bytea" => "'\\x00'::bytea".to_owned(),
            "jsonb" => "'{\"a\": 1}'::jsonb".to_owned(),
            "text[]" => "array['a']".to_owned(),
            "interval" => "interval '1 hour'".to_owned(),
            other => format!("null::{other}"),
        }
    }

    /// A statement that writes and says what it wrote.
    fn returning(&mut self) -> String {
        let relation = self.relation();
        let scope = vec![("x".to_owned(), relation)];
        let condition = self.expression("boolean", &scope, 1);
        let name = &relation.name;
        let (column, kind) = self.random.pick(&relation.columns).clone();
        match self.random.below(4) {
            0 => format!("delete from {name} x where {condition} returning x::text"),
            1 => {
                let value = self.expression(&kind, &scope, 1);
                format!(
                    "update {name} x set {column} = {value} where {condition} returning x::text"
                )
            }
            2 => format!("update {name} x set {column} = {column} returning x::text"),
            _ => format!(
                "insert into {name} as x select * from {name} on conflict do nothing \
                 returning x::text"
            ),
        }
    }

    fn writing(&mut self) -> String {
        let name = self.relation().name.clone();
        let b = Owner::B.tenant();
        match self.random.below(8) {
            0 => format!("update {name} set tenant_id = '{b}' returning tenant_id"),
            1 => format!("insert into {name} (tenant_id) values ('{b}') on conflict do nothing"),
            2 => format!("delete from {name} where tenant_id = '{b}' returning *"),
            3 => format!("select * from {name} where tenant_id = '{b}'"),
            4 => format!(
                "merge into {name} x using {} y on true when matched then delete",
                self.relation().name
            ),
            _ => self.returning(),
        }
    }

    fn cursor(&mut self) -> String {
        match self.random.below(4) {
            0 => "fetch all from c".to_owned(),
            1 => "close c".to_owned(),
            _ => {
                let hold = *self.random.pick(&["", "with hold", "without hold"]);
                format!("declare c cursor {hold} for {}", self.query(2))
            }
        }
    }

    fn prepared(&mut self) -> String {
        match self.random.below(4) {
            0 | 1 => "execute p".to_owned(),
            2 => "deallocate p".to_owned(),
            _ => format!("prepare p as {}", self.query(2)),
        }
    }

    fn block(&mut self) -> String {
        let query = self.select(2, 1);
        let end = *self
            .random
            .pick(&["raise notice '%', r;", "raise exception '%', r;"]);
        format!("do $do$ declare r text; begin for r in {query} loop {end} end loop; end $do$")
    }

    fn setting(&mut self) -> String {
        let name = self.relation().name.clone();
        let statements = [
            "set role lanyard_owner".to_owned(),
            "set role none".to_owned(),
            "reset all".to_owned(),
            "commit".to_owned(),
            "rollback".to_owned(),
            "begin".to_owned(),
            "savepoint s".to_owned(),
            "rollback to s".to_owned(),
            "set local row_security = off".to_owned(),
            "set plan_cache_mode = force_generic_plan".to_owned(),
            "set local enable_seqscan = off".to_owned(),
            "set local search_path = identity, visits, tenancy, pg_temp".to_owned(),
            "set lanyard.context = current".to_owned(),
            "show lanyard.context".to_owned(),
            "listen lanyard".to_owned(),
            "notify lanyard".to_owned(),
            "set transaction read write".to_owned(),
            format!("lock table {name} in share mode nowait"),
            format!("truncate {name}"),
            format!("copy {name} to stdout"),
            format!("table {name}"),
            format!("select t, t.*::text from {name} t for update"),
            format!("alter table {name} disable row level security"),
            format!("create policy mine on {name} using (true)"),
            format!("create temp table mine as table {name}"),
            format!("create view public.mine as table {name}"),
            format!("grant all on {name} to public"),
            format!("analyze {name}"),
            format!("select * from {name} tablesample system (100)"),
        ];
        self.random.pick(&statements).clone()
    }
}
