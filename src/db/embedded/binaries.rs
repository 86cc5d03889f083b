//! Finds the PostgreSQL server's programs on this machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::EmbeddedError;

/// The oldest major version whose features the migrations use.
pub(super) const OLDEST: u32 = 15;

/// A folder with `initdb` and `postgres`, and their major version.
#[derive(Debug, Clone)]
pub(super) struct Binaries {
    pub(super) dir: PathBuf,
    pub(super) major: u32,
}

/// The newest server of at least [`OLDEST`]; or exactly the one that made `data`, since another
/// major version cannot read it.
pub(super) fn find(
    bin: Option<&Path>,
    made_by: Option<(u32, &Path)>,
) -> Result<Binaries, EmbeddedError> {
    let mut found: Vec<Binaries> = match bin {
        Some(dir) => vec![dir.to_path_buf()],
        None => places(),
    }
    .into_iter()
    .filter_map(probe)
    .collect();
    found.sort_by_key(|b| std::cmp::Reverse(b.major));
    let chosen = found.iter().find(|b| match made_by {
        Some((major, _)) => b.major == major,
        None => b.major >= OLDEST,
    });
    if let Some(chosen) = chosen {
        return Ok(chosen.clone());
    }
    Err(match made_by {
        None => EmbeddedError::NoServer,
        Some((wanted, data)) => EmbeddedError::OtherMajor {
            data: data.to_path_buf(),
            wanted,
            found: names(&found),
        },
    })
}

fn names(found: &[Binaries]) -> String {
    if found.is_empty() {
        return "none".to_owned();
    }
    let majors: Vec<String> = found.iter().map(|b| b.major.to_string()).collect();
    majors.join(", ")
}

/// Debian and Ubuntu keep one folder per major version, the Red Hat family `pgsql-<major>`.
fn places() -> Vec<PathBuf> {
    let mut places = Vec::new();
    for (root, prefix) in [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")] {
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                places.push(entry.path().join("bin"));
            }
        }
    }
    places.push("/usr/local/pgsql/bin".into());
    if let Some(path) = std::env::var_os("PATH") {
        places.extend(std::env::split_paths(&path));
    }
    places
}

/// `postgres --version` says `postgres (PostgreSQL) 15.18 (Debian 15.18-1)`.
fn probe(dir: PathBuf) -> Option<Binaries> {
    if !dir.join("initdb").is_file() || !dir.join("postgres").is_file() {
        return None;
    }
    let said = Command::new(dir.join("postgres")).arg("--version").output();
    let major = major_of(&String::from_utf8_lossy(&said.ok()?.stdout))?;
    Some(Binaries { dir, major })
}

fn major_of(version: &str) -> Option<u32> {
    let digits = version.split_whitespace().nth(2)?;
    let digits = digits.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major_of;

    #[test]
    fn the_major_version_is_read_from_releases_and_betas() {
        assert_eq!(
            major_of("postgres (PostgreSQL) 15.18 (Debian 15.18-1)"),
            Some(15)
        );
        assert_eq!(major_of("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(major_of("something else"), None);
    }
}
