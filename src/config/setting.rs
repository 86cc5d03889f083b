//! What a key is: its type, its bounds, and how it takes what the operator wrote.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use secrecy::SecretString;
use time::Duration;
use url::Url;

use super::model::{Config, Issuer, Planes};
use super::value;

/// One key.
pub(super) struct Setting {
    /// In the file: the table and the key, joined by a dot.
    pub(super) key: &'static str,
    /// One sentence.
    pub(super) meaning: &'static str,
    /// Type and bounds.
    pub(super) kind: Kind,
}

/// A setting's type, its bounds, and its place in [`Config`].
pub(super) enum Kind {
    Addresses {
        may_be_off: bool,
        at: fn(&mut Config) -> &mut Vec<SocketAddr>,
    },
    Choice {
        of: &'static [&'static str],
        take: fn(&mut Config, &str),
        give: fn(&Config) -> &'static str,
    },
    Count {
        least: u32,
        most: u32,
        at: fn(&mut Config) -> &mut u32,
    },
    Length {
        least: Duration,
        most: Duration,
        at: fn(&mut Config) -> &mut Duration,
    },
    Networks {
        at: fn(&mut Config) -> &mut Vec<IpNet>,
    },
    OptionalPath {
        at: fn(&mut Config) -> &mut Option<PathBuf>,
    },
    Origin {
        at: fn(&mut Config) -> &mut Url,
    },
    Path {
        at: fn(&mut Config) -> &mut PathBuf,
    },
    Planes,
    SecretFile {
        at: fn(&mut Config) -> &mut Option<SecretString>,
    },
    Text {
        at: fn(&mut Config) -> &mut String,
    },
    /// Empty: unset.
    OptionalText {
        at: fn(&mut Config) -> &mut String,
    },
    TheIssuer,
}

impl Setting {
    /// Its variable: `lifetimes.access_token` is `LANYARD_LIFETIMES_ACCESS_TOKEN`.
    pub(super) fn variable(&self) -> String {
        format!("LANYARD_{}", self.key.replace('.', "_").to_uppercase())
    }

    /// Takes what the operator wrote, one text a value.
    ///
    /// # Errors
    /// One sentence that says what would be right.
    pub(super) fn take(&self, config: &mut Config, given: &[String]) -> Result<(), String> {
        if let Kind::Addresses { may_be_off, at } = &self.kind {
            let addresses: Vec<_> = given
                .iter()
                .map(|t| value::address(t))
                .collect::<Result<_, _>>()?;
            if addresses.is_empty() && !may_be_off {
                return Err("name at least one address".to_owned());
            }
            *at(config) = addresses;
            return Ok(());
        }
        if let Kind::Networks { at } = &self.kind {
            let networks: Result<_, _> = given.iter().map(|t| value::network(t)).collect();
            *at(config) = networks?;
            return Ok(());
        }
        if matches!(self.kind, Kind::Planes) {
            config.planes = given.join(",").parse::<Planes>()?;
            return Ok(());
        }
        let [text] = given else {
            return Err("give one value, not a list".to_owned());
        };
        self.take_one(config, text)
    }

    fn take_one(&self, config: &mut Config, text: &str) -> Result<(), String> {
        match &self.kind {
            Kind::Addresses { .. } | Kind::Networks { .. } | Kind::Planes => {
                unreachable!("taken as lists")
            }
            Kind::Choice { of, take, .. } => {
                if !of.contains(&text) {
                    return Err(format!("`{text}` is none of {}", of.join(", ")));
                }
                take(config, text);
            }
            Kind::Count { least, most, at } => {
                let number: u32 = text
                    .parse()
                    .map_err(|_| format!("`{text}` is no whole number"))?;
                if !(*least..=*most).contains(&number) {
                    return Err(format!("{number} is out of bounds: {least} to {most}"));
                }
                *at(config) = number;
            }
            Kind::Length { least, most, at } => {
                let length = value::duration(text)?;
                if !(*least..=*most).contains(&length) {
                    let (least, most) = (value::duration_text(*least), value::duration_text(*most));
                    return Err(format!("{text} is out of bounds: {least} to {most}"));
                }
                *at(config) = length;
            }
            Kind::OptionalPath { at } => *at(config) = Some(path(text)?),
            Kind::Path { at } => *at(config) = path(text)?,
            Kind::Origin { at } => *at(config) = value::origin(text)?,
            Kind::TheIssuer => config.issuer = Issuer::parse(text)?,
            Kind::Text { at } | Kind::OptionalText { at } => {
                if text.is_empty() || text.chars().any(char::is_control) {
                    return Err("must be text of one line".to_owned());
                }
                text.clone_into(at(config));
            }
            Kind::SecretFile { at } => *at(config) = Some(secret_from(text)?),
        }
        Ok(())
    }
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() || text.contains('\0') {
        return Err("must be a path".to_owned());
    }
    Ok(text.into())
}

/// Reads a secret's file: one value, white space around it dropped, not readable by others.
fn secret_from(file: &str) -> Result<SecretString, String> {
    use std::os::unix::fs::PermissionsExt as _;
    let unreadable = |e: std::io::Error| format!("{file} can't be read: {e}");
    let mode = std::fs::metadata(file)
        .map_err(unreadable)?
        .permissions()
        .mode();
    if mode & 0o007 != 0 {
        return Err(format!(
            "{file} may be read by everybody: run `chmod 600 {file}`"
        ));
    }
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(file).map_err(unreadable)?);
    if text.trim().is_empty() {
        return Err(format!("{file} is empty"));
    }
    Ok(text.trim().into())
}
