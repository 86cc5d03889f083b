//! Findings, and the facts they are judged from.

/// Whether Lanyard serves in spite of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It does not: the seal would not hold.
    Refusal,
    /// It does: something that the host does not allow, and what that costs.
    Limit,
}

/// One thing that is not as it should be. The operator's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether to serve in spite of it.
    pub severity: Severity,
    /// What is the case, in plain words with the names of the objects.
    pub what: String,
    /// What could happen because of it.
    pub cost: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

/// Everything found, the refusals first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

impl Standing {
    pub(super) fn of(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.severity == Severity::Limit);
        Self { findings }
    }

    /// What keeps Lanyard from serving.
    pub fn refusals(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.severity == Severity::Refusal)
    }

    /// Whether nothing does.
    pub fn may_serve(&self) -> bool {
        self.refusals().next().is_none()
    }
}

/// What the catalog says.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// As `server_version_num` writes it: 15.18 is 150018.
    pub(super) server_version: i32,
    /// Migrations of this build that the database lacks.
    pub(super) pending_migrations: usize,
    /// The serving roles, and the owning roles behind them.
    pub(super) roles: Vec<Role>,
    /// Tables without ENABLE and FORCE ROW LEVEL SECURITY, schema-qualified.
    pub(super) unforced_tables: Vec<String>,
    /// `role: right on object`, for rights that no serving role may have.
    pub(super) excessive_rights: Vec<String>,
    /// SECURITY DEFINER functions outside `pg_catalog` that PUBLIC may call.
    pub(super) public_definers: Vec<String>,
    /// Functions and views of `pg_catalog` that a serving role may use and should not.
    pub(super) public_functions: Vec<String>,
    /// Logins whose sessions show their statements' text.
    pub(super) tracked_logins: Vec<String>,
    /// Whether contexts travel as bound parameters (`seal.open`).
    pub(super) context_is_bound: bool,
    /// Extensions besides plpgsql.
    pub(super) extensions: Vec<String>,
    /// The server's `log_statement`.
    pub(super) log_statement: String,
}

/// One role of ours.
#[derive(Clone, Debug, Default)]
pub(super) struct Role {
    pub(super) name: String,
    /// Whether it is one of those that serve.
    pub(super) serves: bool,
    /// Among: superuser, bypassrls, createrole, createdb, replication, login.
    pub(super) attributes: Vec<String>,
    /// Roles that it is a member of.
    pub(super) memberships: Vec<String>,
    /// How many objects of this database it owns.
    pub(super) owned: i64,
}
