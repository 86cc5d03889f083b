//! Facts in, findings out.

use super::model::{Facts, Finding, Role, Severity};
use super::reviewed::REVOKED;

/// Judges all facts. No finding: the database is as it should be.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(version(facts.server_version));
    findings.extend(schema(facts.pending_migrations));
    findings.extend(facts.roles.iter().filter_map(role));
    findings.extend(tables(facts));
    findings.extend(statements_in_sight(facts));
    findings.extend(public_functions(facts));
    findings
}

/// Answers of different clients' statements would be mixed up (`crates.md` §7).
pub(super) fn transaction_pooler() -> Finding {
    refusal(
        "the database is reached through a pooler in transaction or statement mode".to_owned(),
        "prepared statements of different sessions meet on one connection, and their answers are \
         mixed up without an error: one clinic would be given another's rows",
        "Connect directly, or set `pool_mode = session` in PgBouncer",
    )
}

fn refusal(what: String, cost: &'static str, remedy: &'static str) -> Finding {
    Finding {
        severity: Severity::Refusal,
        what,
        cost,
        remedy,
    }
}

fn limit(what: String, cost: &'static str, remedy: &'static str) -> Finding {
    Finding {
        severity: Severity::Limit,
        what,
        cost,
        remedy,
    }
}

/// CVE-2024-10976: a plan made under one role's or setting's policies was used under another's.
fn version(number: i32) -> Option<Finding> {
    let is_sound = match number / 10_000 {
        ..15 => false,
        15 => number >= 150_009,
        16 => number >= 160_005,
        17 => number >= 170_001,
        18.. => true,
    };
    (!is_sound).then(|| {
        refusal(
            format!(
                "PostgreSQL {}.{} is too old",
                number / 10_000,
                number % 10_000
            ),
            "before 15.9, 16.5 and 17.1 a cached plan could miss a row-level policy \
             (CVE-2024-10976)",
            "Install PostgreSQL 15.9, 16.5, 17.1 or newer",
        )
    })
}

fn schema(pending: usize) -> Option<Finding> {
    (pending > 0).then(|| {
        refusal(
            format!("the schema is behind this build by {pending} migrations"),
            "statements would fail or meet tables without their policies",
            "Run `lanyard migrate`, or start with `lanyard serve --migrate`",
        )
    })
}

/// RLS-01. An owning role may own, but neither serve nor stand above the policies.
fn role(role: &Role) -> Option<Finding> {
    let mut wrong: Vec<String> = role
        .attributes
        .iter()
        .filter(|attribute| !(role.serves && *attribute == "login"))
        .map(|attribute| format!("has the attribute {attribute}"))
        .collect();
    if role.serves {
        wrong.extend(
            role.memberships
                .iter()
                .map(|of| format!("is a member of {of}")),
        );
        if role.owned > 0 {
            wrong.push(format!("owns {} objects", role.owned));
        }
    }
    (!wrong.is_empty()).then(|| {
        refusal(
            format!("the role {} {}", role.name, wrong.join(", ")),
            "it could read past row-level security, or change it",
            "Run `lanyard migrate` as an administrator; take away what it does not know of, such \
             as memberships, by hand",
        )
    })
}

fn tables(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let listed = |names: &[String]| names.join(", ");
    if !facts.unforced_tables.is_empty() {
        findings.push(refusal(
            format!(
                "tables without forced row-level security: {}",
                listed(&facts.unforced_tables)
            ),
            "their rows have no tenant for the database",
            "ALTER TABLE … ENABLE and FORCE ROW LEVEL SECURITY, or give Lanyard a database of its \
             own",
        ));
    }
    if !facts.excessive_rights.is_empty() {
        findings.push(refusal(
            format!(
                "rights that no serving role may have: {}",
                listed(&facts.excessive_rights)
            ),
            "TRUNCATE, REFERENCES and TRIGGER pass row-level security by; what a role can create \
             or put in a temporary schema can stand in a table's place",
            "REVOKE them, also from PUBLIC",
        ));
    }
    if !facts.public_definers.is_empty() {
        findings.push(refusal(
            format!(
                "SECURITY DEFINER functions open to PUBLIC: {}",
                listed(&facts.public_definers)
            ),
            "they run with their owner's rights for whoever calls them",
            "REVOKE EXECUTE ON FUNCTION … FROM PUBLIC",
        ));
    }
    findings
}

/// A context stands in the text of `SET LOCAL`, unless it is bound.
fn statements_in_sight(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let activity_is_public = facts
        .public_functions
        .iter()
        .any(|name| name.starts_with("pg_stat_get"));
    if !facts.tracked_logins.is_empty() {
        let what = format!(
            "track_activities is on for {}",
            facts.tracked_logins.join(", ")
        );
        let remedy = "ALTER ROLE … SET track_activities = off, as a superuser; or run `lanyard \
                      migrate`, which then lets contexts travel as bound parameters";
        if activity_is_public && !facts.context_is_bound {
            let cost = "every session reads the others' sealed contexts and can replay them for \
                        15 seconds";
            findings.push(refusal(what, cost, remedy));
        } else {
            let cost = "who may read pg_stat_activity sees statements' text, never bound values";
            findings.push(limit(what, cost, remedy));
        }
    }
    if facts.log_statement == "all" {
        findings.push(limit(
            "log_statement is `all`".to_owned(),
            "the server's log holds every transaction's sealed context: ids, useless after 15 \
             seconds",
            "Set log_statement to `ddl`",
        ));
    }
    if facts
        .extensions
        .iter()
        .any(|name| name == "pg_stat_statements")
        && !facts.context_is_bound
    {
        findings.push(refusal(
            "the extension pg_stat_statements is installed in this database".to_owned(),
            "it keeps the text of SET LOCAL, with its sealed context, for every tenant to read",
            "DROP EXTENSION pg_stat_statements here; it can be asked from another database",
        ));
    } else if !facts.extensions.is_empty() {
        findings.push(limit(
            format!(
                "extensions in this database: {}",
                facts.extensions.join(", ")
            ),
            "their functions are open to PUBLIC and are not covered by our tests",
            "Drop those that nothing needs: Lanyard needs none",
        ));
    }
    findings
}

fn public_functions(facts: &Facts) -> Vec<Finding> {
    let is_public = |name: &&&str| facts.public_functions.iter().any(|public| public == **name);
    let mut findings = Vec::new();
    for (names, cost) in REVOKED {
        let found: Vec<&str> = names.iter().filter(is_public).copied().collect();
        if !found.is_empty() {
            findings.push(limit(
                format!("this host keeps open to PUBLIC: {}", found.join(", ")),
                cost,
                "Run `lanyard migrate` as a superuser, if the host gives one",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Facts {
        let role = |name: &str, serves: bool| Role {
            name: name.to_owned(),
            serves,
            attributes: if serves {
                vec!["login".to_owned()]
            } else {
                Vec::new()
            },
            owned: if serves { 0 } else { 20 },
            ..Role::default()
        };
        Facts {
            server_version: 150_018,
            roles: vec![role("lanyard_identity", true), role("lanyard_owner", false)],
            log_statement: "none".to_owned(),
            ..Facts::default()
        }
    }

    fn one(change: impl FnOnce(&mut Facts)) -> Finding {
        let mut facts = sound();
        change(&mut facts);
        let found = judge(&facts);
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().unwrap()
    }

    #[test]
    fn a_sound_database_gives_no_finding() {
        assert_eq!(judge(&sound()), Vec::new());
    }

    /// RLS-28: the first releases with CVE-2024-10976 mended.
    #[test]
    fn the_server_version_is_judged_release_by_release() {
        for (number, is_sound) in [
            (140_023, false),
            (150_008, false),
            (150_009, true),
            (160_004, false),
            (160_005, true),
            (170_000, false),
            (170_001, true),
            (180_000, true),
        ] {
            assert_eq!(version(number).is_none(), is_sound, "{number}");
        }
    }

    /// RLS-01, RLS-02.
    #[test]
    fn whatever_breaks_the_seal_is_a_refusal_that_names_it() {
        for (finding, named) in [
            (one(|f| f.pending_migrations = 2), "2 migrations"),
            (
                one(|f| f.roles[0].attributes.push("bypassrls".to_owned())),
                "bypassrls",
            ),
            (
                one(|f| f.roles[0].memberships.push("lanyard_owner".to_owned())),
                "lanyard_owner",
            ),
            (one(|f| f.roles[0].owned = 1), "owns 1"),
            (
                one(|f| f.roles[1].attributes.push("login".to_owned())),
                "lanyard_owner",
            ),
            (
                one(|f| f.unforced_tables.push("visits.visit".to_owned())),
                "visits.visit",
            ),
            (
                one(|f| f.excessive_rights.push("x: TRUNCATE on y".to_owned())),
                "TRUNCATE",
            ),
            (
                one(|f| f.public_definers.push("seal.open".to_owned())),
                "seal.open",
            ),
            (
                one(|f| f.extensions.push("pg_stat_statements".to_owned())),
                "pg_stat_statements",
            ),
        ] {
            assert_eq!(finding.severity, Severity::Refusal, "{finding:?}");
            assert!(finding.what.contains(named), "{finding:?}");
        }
    }

    #[test]
    fn what_a_host_does_not_allow_is_a_limit_with_its_cost() {
        let finding = one(|f| f.public_functions.push("set_config".to_owned()));
        assert_eq!(finding.severity, Severity::Limit);
        assert!(finding.cost.contains("round trip"), "{finding:?}");
    }

    #[test]
    fn contexts_in_sight_of_others_are_refused_and_bound_ones_are_not() {
        let in_sight = |f: &mut Facts| {
            f.tracked_logins.push("lanyard_tenant".to_owned());
            f.public_functions.push("pg_stat_get_activity".to_owned());
        };
        let mut facts = sound();
        in_sight(&mut facts);
        let refused = judge(&facts)
            .iter()
            .any(|f| f.severity == Severity::Refusal);
        assert!(refused);
        facts.context_is_bound = true;
        let refused = judge(&facts)
            .iter()
            .any(|f| f.severity == Severity::Refusal);
        assert!(!refused);
    }
}
