//! `config explain` and docs/CONFIGURATION.md, from the one table.

use std::fmt::Write as _;

use super::load::{Effective, find, nearest};
use super::model::Config;
use super::setting::{Kind, Setting};
use super::settings;
use super::value;

/// What there is to know of one key.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Explanation {
    /// In the file.
    pub key: &'static str,
    /// In the environment.
    pub variable: String,
    /// One sentence.
    pub meaning: &'static str,
    /// Type and unit.
    pub unit: &'static str,
    /// What is allowed.
    pub bounds: String,
    /// If nobody says anything; null: nothing.
    pub default: Option<String>,
    /// Now; null: nothing. `(secret)` for a secret.
    pub value: Option<String>,
    /// Where that came from.
    pub source: String,
}

/// Explains `key` as it stands in `effective`.
///
/// # Errors
/// One sentence with the nearest key, if there is no such one.
pub fn explain(effective: &Effective, key: &str) -> Result<Explanation, String> {
    let by_variable = || settings::all().find(|s| s.variable() == key);
    let Some(setting) = find(key).or_else(by_variable) else {
        return Err(match nearest(key, settings::all().map(|s| s.key)) {
            Some(near) => format!("there is no key `{key}`; did you mean `{near}`?"),
            None => format!("there is no key `{key}`; `lanyard config show` lists all"),
        });
    };
    Ok(Explanation {
        key: setting.key,
        variable: setting.variable(),
        meaning: setting.meaning,
        unit: setting.unit(),
        bounds: setting.bounds(),
        default: setting.default_text(),
        value: setting.shown(effective.config()),
        source: effective.source(setting.key).to_string(),
    })
}

/// The text of docs/CONFIGURATION.md; a test compares the two.
pub fn reference() -> String {
    let mut page = String::from(INTRODUCTION);
    let mut table = None;
    for setting in settings::all() {
        let own_table = setting.key.rsplit_once('.').map_or("", |(table, _)| table);
        if table != Some(own_table) {
            table = Some(own_table);
            let heading = match own_table {
                "" => "## Top of the file".to_owned(),
                name => format!("## `[{name}]`"),
            };
            let _ = write!(
                page,
                "\n{heading}\n\n| key | type | default | bounds | meaning |\n"
            );
            page.push_str("|---|---|---|---|---|\n");
        }
        let name = setting
            .key
            .rsplit_once('.')
            .map_or(setting.key, |(_, name)| name);
        let default = setting
            .default_text()
            .map_or("none".to_owned(), |d| format!("`{d}`"));
        let _ = writeln!(
            page,
            "| `{name}` | {} | {default} | {} | {} |",
            setting.unit(),
            setting.bounds(),
            setting.meaning
        );
    }
    page
}

const INTRODUCTION: &str = "\
# Configuration

Made by `lanyard config explain --markdown` from the table in `src/config/settings.rs`;
a test compares the two.

- One TOML file: `--config FILE`, else `LANYARD_CONFIG`, else `lanyard.toml` in the working
  directory if it is there. No file at all is fine: every default is the safe value.
- The environment wins over the file: a key's variable is `LANYARD_` and the key in capitals with
  `_` for each dot, so `lifetimes.access_token` is `LANYARD_LIFETIMES_ACCESS_TOKEN`. Lists are
  separated by commas. `--plane` wins over both.
- `DATABASE_URL` is understood as well. A server over a network needs `sslmode=verify-full`; a unix
  socket or a loopback address does not.
- Secrets come from files of their own (`…_file`), which everybody else must not be able to read.
- A key or variable that is not known is an error. Durations need a unit: `s`, `m`, `h` or `d`.
- Relative paths count from the working directory.
- An http issuer is for one machine: its host must be a loopback, and so must all addresses
  listened on. With an https issuer, an address of the issuer or an app that is no loopback needs
  `tls` or `proxy.trusted`; the operations address is plain HTTP and holds no secret.

`lanyard config check` says all that is wrong, `config show` every value and where it came from,
`config explain KEY` one key. Nothing shows a secret.

Example:

```toml
issuer = \"https://id.example.com\"

[listen]
issuer = [\"0.0.0.0:8080\"]

[proxy]
trusted = [\"10.0.0.0/8\"]

[database]
url_file = \"/run/secrets/database_url\"

[session]
idle = \"15m\"
```
";

impl Setting {
    fn default_text(&self) -> Option<String> {
        // One page for every user: what root gets is in the meaning.
        let config = Config {
            state_dir: "var".into(),
            keys_dir: "keys".into(),
            ..Config::default()
        };
        self.shown(&config)
    }

    const fn unit(&self) -> &'static str {
        match self.kind {
            Kind::Addresses { .. } => "list of IP:PORT",
            Kind::Choice { .. } => "word",
            Kind::Count { .. } => "whole number",
            Kind::Length { .. } => "duration",
            Kind::Networks { .. } => "list of networks",
            Kind::OptionalPath { .. } | Kind::Path { .. } => "path",
            Kind::Origin { .. } | Kind::TheIssuer => "URL",
            Kind::Planes => "words",
            Kind::SecretFile { .. } => "path of a secret's file",
            Kind::Text { .. } | Kind::OptionalText { .. } => "text",
        }
    }

    fn bounds(&self) -> String {
        match &self.kind {
            Kind::Addresses {
                may_be_off: true, ..
            }
            | Kind::Networks { .. } => "none or more".to_owned(),
            Kind::Addresses { .. } => "one or more".to_owned(),
            Kind::Choice { of, .. } => of.join(", "),
            Kind::Count { least, most, .. } => format!("{least} to {most}"),
            Kind::Length { least, most, .. } => {
                format!(
                    "{} to {}",
                    value::duration_text(*least),
                    value::duration_text(*most)
                )
            }
            Kind::Origin { .. } | Kind::TheIssuer => {
                "https, or http on a loopback; no path".to_owned()
            }
            Kind::Planes => "identity, tenant, apps, all".to_owned(),
            Kind::SecretFile { .. } => "not readable by others".to_owned(),
            Kind::OptionalPath { .. } | Kind::Path { .. } => "any".to_owned(),
            Kind::Text { .. } | Kind::OptionalText { .. } => "one line".to_owned(),
        }
    }
}
