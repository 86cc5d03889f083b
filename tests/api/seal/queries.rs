//! Every statement of the source, prepared as a serving role and run with another tenant's values
//! (RLS-30; docs/decisions/0008).

use std::path::{Path, PathBuf};

use super::attacker::Attacker;
use super::planted::{Owner, digest_of_others, plant};

/// Every string that a `store.rs` gives to sqlx, with its file.
fn statements() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("src/db") {
                folders.push(path);
            } else if path.ends_with("store.rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                let name = path.display().to_string();
                found.extend(literals(&source).into_iter().map(|sql| (name.clone(), sql)));
            }
        }
    }
    found
}

/// The literal after each `sqlx::query…(`.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for call in source.split("sqlx::query").skip(1) {
        let Some((_, argument)) = call.split_once('(') else {
            continue;
        };
        let Some(text) = argument.trim_start().strip_prefix('"') else {
            continue;
        };
        let mut sql = String::new();
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '"' => break,
                '\\' => match characters.next() {
                    Some('\n') => {
                        while characters.next_if(|next| next.is_whitespace()).is_some() {}
                    }
                    Some('n') => sql.push('\n'),
                    Some(other) => sql.push(other),
                    None => break,
                },
                other => sql.push(other),
            }
        }
        found.push(sql);
    }
    found
}

/// B's value for the column that the parameter is compared with, or any of its type.
fn value(sql: &str, n: usize, kind: &str) -> String {
    let compared = sql.split(&format!("${n}")).next().unwrap_or_default();
    let compared = compared
        .trim_end_matches("any(")
        .trim_end()
        .trim_end_matches(['=', ' ']);
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit();
    let column = compared.rsplit(|c| !is_name(c)).next().unwrap_or_default();
    match kind {
        "uuid" if column == "tenant_id" || n == 1 => format!("'{}'", Owner::B.tenant()),
        "uuid" => format!("'{}'", Owner::B.id(column, 1)),
        "uuid[]" => format!("array['{}']::uuid[]", Owner::B.id(column, 1)),
        "text" => format!("'canarybee-{column}-1'"),
        "text[]" => format!("array['canarybee-{column}-1']"),
        "bytea" => format!("convert_to(rpad('canarybee-{column}-1', 32, '1'), 'UTF8')"),
        "boolean" => "true".to_owned(),
        "jsonb" | "json" => "'{}'".to_owned(),
        "timestamp with time zone" => "clock_timestamp()".to_owned(),
        "interval" => "'1 hour'".to_owned(),
        _ => "1".to_owned(),
    }
}

/// RLS-30, TEN-12: each is A's transaction and B's ids. Kept, not rolled back; nothing of B comes
/// back and nothing of B is changed.
#[tokio::test]
async fn every_query_with_another_tenants_ids_finds_and_changes_nothing() {
    let database = plant().await;
    let before = digest_of_others(&database).await;
    let statements = statements();
    assert!(statements.len() > 60, "{}", statements.len());
    let mut attackers = Attacker::all_on(&database);
    for (file, sql) in &statements {
        let mut is_somebodys = false;
        for attacker in &mut attackers {
            let prepare = format!("prepare one as {sql}");
            let answer = attacker.wire.ask_all(&[
                &prepare,
                "select unnest(parameter_types::text[]) from pg_prepared_statements",
            ]);
            let is_prepared = answer.errors.is_empty();
            is_somebodys |= is_prepared;
            if !is_prepared {
                continue;
            }
            let kinds = answer.rows.iter().map(|row| row[0].clone().unwrap());
            let values: Vec<String> = kinds
                .enumerate()
                .map(|(at, kind)| value(sql, at + 1, &kind))
                .collect();
            let execute = if values.is_empty() {
                "execute one".to_owned()
            } else {
                format!("execute one ({})", values.join(", "))
            };
            attacker.harmless(&["savepoint s", &execute, "rollback to s", &execute, "commit"]);
        }
        assert!(
            is_somebodys,
            "no serving role may run this, of {file}:\n{sql}"
        );
    }
    assert_eq!(digest_of_others(&database).await, before);
}
