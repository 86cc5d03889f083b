//! Reading the file and the environment, and saying where each value came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::checks::between_settings;
use super::error::{ConfigError, Problem};
use super::model::Config;
use super::setting::{Kind, Setting};
use super::settings;
use super::value;

/// The file that is read if `--config` names none and it is there.
const USUAL_FILE: &str = "lanyard.toml";
const PREFIX: &str = "LANYARD_";
pub(crate) const FILE_VARIABLE: &str = "LANYARD_CONFIG";
/// Ours, but no settings: the file's name, and what `privilege::drop_root` tells its successor.
const NO_SETTINGS: [&str; 2] = [FILE_VARIABLE, "LANYARD_DROPPED_ROOT"];
const DATABASE_URL: &str = "DATABASE_URL";
const DATABASE_KEY: &str = "database.url_file";

/// What was given from outside.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// `--plane`, over everything else.
    pub planes: Option<String>,
    /// The environment's variables; all but ours are ignored.
    pub environment: BTreeMap<String, String>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// This file.
    File(PathBuf),
    /// This variable.
    Environment(String),
    /// This option of the command line.
    Option(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(variable) => f.write_str(variable),
            Self::Option(option) => f.write_str(option),
        }
    }
}

impl Given {
    /// The file that is read, if any.
    pub fn config_file(&self) -> Option<PathBuf> {
        let named = self
            .file
            .clone()
            .or_else(|| self.environment.get(FILE_VARIABLE).map(Into::into));
        named.or_else(|| Path::new(USUAL_FILE).is_file().then(|| USUAL_FILE.into()))
    }
}

/// A valid configuration, and where each of its values came from.
#[derive(Clone, Debug)]
pub struct Effective {
    config: Config,
    sources: BTreeMap<&'static str, Source>,
}

/// One line of `config show`.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ShownSetting {
    /// The key.
    pub key: &'static str,
    /// The value as it would be written; `(secret)` for a secret, null for nothing.
    pub value: Option<String>,
    /// Where it came from.
    pub source: String,
}

impl Effective {
    /// Reads file, environment and options; later ones win.
    ///
    /// # Errors
    /// Every problem found, not only the first.
    pub fn load(given: &Given) -> Result<Self, ConfigError> {
        let mut loading = Loading::default();
        if let Some(path) = given.config_file() {
            loading.read_file(&path)?;
        }
        loading.read_environment(&given.environment);
        if let Some(planes) = &given.planes {
            let setting = find("planes").expect("a key of the table");
            loading.take(
                setting,
                std::slice::from_ref(planes),
                Source::Option("--plane"),
                "--plane",
            );
        }
        if loading.problems.is_empty() {
            loading.problems = between_settings(&loading.config);
        }
        if loading.problems.is_empty() {
            Ok(Self {
                config: loading.config,
                sources: loading.sources,
            })
        } else {
            Err(ConfigError {
                problems: loading.problems,
            })
        }
    }

    /// What holds if nobody says anything.
    pub fn defaults() -> Self {
        Self {
            config: Config::default(),
            sources: BTreeMap::new(),
        }
    }

    /// The values.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The values alone.
    pub fn into_config(self) -> Config {
        self.config
    }

    /// Where the value of `key` came from.
    pub fn source(&self, key: &str) -> Source {
        self.sources.get(key).cloned().unwrap_or(Source::Default)
    }

    /// Every key with its value and source; no secret.
    pub fn shown(&self) -> Vec<ShownSetting> {
        settings::all()
            .map(|setting| ShownSetting {
                key: setting.key,
                value: setting.shown(&self.config),
                source: self.source(setting.key).to_string(),
            })
            .collect()
    }
}

/// The key's line in the table.
pub(super) fn find(key: &str) -> Option<&'static Setting> {
    settings::all().find(|s| s.key == key)
}

/// The nearest known word, if it is near enough to be meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|k| (strsim::jaro_winkler(word, k), k))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

/// Kubernetes puts these into every pod beside a service named `lanyard`.
fn is_a_service_link(variable: &str) -> bool {
    variable.starts_with("LANYARD_SERVICE_") || variable.starts_with("LANYARD_PORT")
}

#[derive(Default)]
struct Loading {
    config: Config,
    sources: BTreeMap<&'static str, Source>,
    problems: Vec<Problem>,
}

impl Loading {
    fn take(&mut self, setting: &'static Setting, given: &[String], source: Source, place: &str) {
        match setting.take(&mut self.config, given) {
            Ok(()) => {
                self.sources.insert(setting.key, source);
            }
            Err(message) => self.problems.push(Problem::new(place, message)),
        }
    }

    fn read_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|e| Problem::new(&shown, format!("can't be read: {e}")))?;
        let table: toml::Table = toml::from_str(&text).map_err(|e| {
            // Its own text would repeat the line, which may hold what should have been in a file.
            let line = e
                .span()
                .map_or(1, |s| text[..s.start].matches('\n').count() + 1);
            Problem::new(format!("{shown}:{line}"), e.message().to_owned())
        })?;
        self.read_table(path, "", &table);
        Ok(())
    }

    fn read_table(&mut self, path: &Path, prefix: &str, table: &toml::Table) {
        for (name, value) in table {
            let key = if prefix.is_empty() {
                name.clone()
            } else {
                format!("{prefix}.{name}")
            };
            let place = format!("{}: {key}", path.display());
            let is_a_table = settings::all().any(|s| s.key.starts_with(&format!("{key}.")));
            match (find(&key), value) {
                (Some(setting), value) => match texts(value) {
                    Some(given) => {
                        self.take(setting, &given, Source::File(path.to_owned()), &place);
                    }
                    None => self
                        .problems
                        .push(Problem::new(place, "has a value of no use here")),
                },
                (None, toml::Value::Table(inner)) if is_a_table => {
                    self.read_table(path, &key, inner);
                }
                (None, _) => {
                    let message = unknown(&key, settings::all().map(|s| s.key));
                    self.problems
                        .push(Problem::new(path.display().to_string(), message));
                }
            }
        }
    }

    fn read_environment(&mut self, environment: &BTreeMap<String, String>) {
        let variables: Vec<String> = settings::all().map(Setting::variable).collect();
        for (variable, text) in environment {
            if !variable.starts_with(PREFIX)
                || NO_SETTINGS.contains(&variable.as_str())
                || is_a_service_link(variable)
            {
                continue;
            }
            let Some(setting) = settings::all().find(|s| s.variable() == *variable) else {
                let message = unknown(variable, variables.iter().map(String::as_str));
                self.problems.push(Problem::new("environment", message));
                continue;
            };
            let given = setting.split(text);
            self.take(
                setting,
                &given,
                Source::Environment(variable.clone()),
                variable,
            );
        }
        self.read_database_url(environment);
    }

    fn read_database_url(&mut self, environment: &BTreeMap<String, String>) {
        let Some(url) = environment
            .get(DATABASE_URL)
            .filter(|url| !url.trim().is_empty())
        else {
            return;
        };
        if environment.contains_key("LANYARD_DATABASE_URL_FILE") {
            self.problems.push(Problem::new(
                DATABASE_URL,
                "is set beside LANYARD_DATABASE_URL_FILE: unset one of them",
            ));
            return;
        }
        self.config.database.url = Some(url.trim().into());
        self.sources
            .insert(DATABASE_KEY, Source::Environment(DATABASE_URL.to_owned()));
    }
}

fn unknown<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(word, known) {
        Some(near) => format!("`{word}` is not known; did you mean `{near}`?"),
        None => format!("`{word}` is not known; `lanyard config explain` lists what is"),
    }
}

/// A TOML value as texts; `None` for tables, dates and lists of lists.
fn texts(value: &toml::Value) -> Option<Vec<String>> {
    let one = |value: &toml::Value| match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        _ => None,
    };
    match value {
        toml::Value::Array(list) => list.iter().map(one).collect(),
        other => one(other).map(|text| vec![text]),
    }
}

impl Setting {
    /// An environment variable's text: lists are separated by commas, an empty one by nothing.
    fn split(&self, text: &str) -> Vec<String> {
        if matches!(
            self.kind,
            Kind::Addresses { .. } | Kind::Networks { .. } | Kind::Planes
        ) {
            let parts = text.split(',').map(str::trim).filter(|p| !p.is_empty());
            return parts.map(str::to_owned).collect();
        }
        vec![text.to_owned()]
    }

    /// The value as it would be written, without secrets; `None` if there is none.
    pub(super) fn shown(&self, config: &Config) -> Option<String> {
        let mut config = config.clone();
        match &self.kind {
            Kind::Addresses { at, .. } => {
                let addresses: Vec<_> = at(&mut config).iter().map(ToString::to_string).collect();
                Some(if addresses.is_empty() {
                    "off".to_owned()
                } else {
                    addresses.join(",")
                })
            }
            Kind::Choice { give, .. } => Some(give(&config).to_owned()),
            Kind::Count { at, .. } => Some(at(&mut config).to_string()),
            Kind::Length { at, .. } => Some(value::duration_text(*at(&mut config))),
            Kind::Networks { at } => {
                let networks: Vec<_> = at(&mut config).iter().map(ToString::to_string).collect();
                (!networks.is_empty()).then(|| networks.join(","))
            }
            Kind::OptionalPath { at } => at(&mut config)
                .as_ref()
                .map(|path| path.display().to_string()),
            Kind::Path { at } => Some(at(&mut config).display().to_string()),
            Kind::Origin { at } => Some(at(&mut config).as_str().trim_end_matches('/').to_owned()),
            Kind::Planes => Some(config.planes.to_string()),
            Kind::SecretFile { at } => at(&mut config).as_ref().map(|_| "(secret)".to_owned()),
            Kind::Text { at } => Some(at(&mut config).clone()),
            Kind::OptionalText { at } => {
                Some(at(&mut config).clone()).filter(|text| !text.is_empty())
            }
            Kind::TheIssuer => Some(config.issuer.to_string()),
        }
    }
}
