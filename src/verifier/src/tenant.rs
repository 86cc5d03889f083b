//! Which clinic a request is addressed to. Never who calls: that is in the token alone.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::header::HOST;
use http::request::Parts;

use crate::TenantId;
use crate::challenge::Refusal;

/// Knows the clinics by name. Any `Fn(&str) -> Option<TenantId>` is one.
pub trait TenantDirectory: Send + Sync {
    /// The clinic of that name (lower case letters, digits, hyphens), if there is one.
    fn tenant<'a>(&'a self, name: &'a str) -> TenantLookup<'a>;
}

/// What [`TenantDirectory::tenant`] returns.
pub type TenantLookup<'a> =
    Pin<Box<dyn Future<Output = Result<Option<TenantId>, DirectoryUnavailable>> + Send + 'a>>;

/// The directory can't be asked now; the request is answered 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tenant directory is not available")]
pub struct DirectoryUnavailable;

impl<F: Fn(&str) -> Option<TenantId> + Send + Sync> TenantDirectory for F {
    fn tenant<'a>(&'a self, name: &'a str) -> TenantLookup<'a> {
        let found = self(name);
        Box::pin(async move { Ok(found) })
    }
}

/// Where a request says which clinic it is for.
pub(crate) struct TenantRule {
    place: Place,
    directory: Arc<dyn TenantDirectory>,
}

#[derive(Debug)]
enum Place {
    /// `<name>.<base>`; the base in lower case.
    Host { base: String },
    /// The segment behind these.
    Path { before: Vec<String> },
}

impl TenantRule {
    pub(crate) fn host(base: &str, directory: Arc<dyn TenantDirectory>) -> Self {
        Self {
            place: Place::Host {
                base: base.to_ascii_lowercase(),
            },
            directory,
        }
    }

    pub(crate) fn path(template: &str, directory: Arc<dyn TenantDirectory>) -> Self {
        let is_place = |segment: &&str| segment.starts_with('{') && segment.ends_with('}');
        let mut segments = template.split('/');
        assert!(
            segments.next() == Some("") && segments.clone().any(|segment| is_place(&segment)),
            "a template has a segment in braces"
        );
        let before = segments
            .take_while(|segment| !is_place(segment))
            .map(str::to_owned)
            .collect();
        Self {
            place: Place::Path { before },
            directory,
        }
    }

    pub(crate) async fn tenant_of(&self, parts: &Parts) -> Result<TenantId, Refusal> {
        let name = match &self.place {
            Place::Host { base } => {
                name_in_host(&host(parts)?, base).ok_or(Refusal::UnknownHost)?
            }
            Place::Path { before } => name_in_path(parts.uri.path(), before)?,
        };
        if let (Place::Path { .. }, Ok(tenant)) = (&self.place, name.parse()) {
            return Ok(tenant);
        }
        match self.directory.tenant(&name).await {
            Ok(Some(tenant)) => Ok(tenant),
            Ok(None) => Err(match self.place {
                Place::Host { .. } => Refusal::UnknownHost,
                Place::Path { .. } => Refusal::NotFound,
            }),
            Err(DirectoryUnavailable) => Err(Refusal::Unavailable),
        }
    }
}

/// The one host of the request, in lower case, without its port. Nothing else is made equal
/// (RFC 9110 §4.2.3, §7.2): no dot is dropped and no name decoded.
fn host(parts: &Parts) -> Result<String, Refusal> {
    let mut headers = parts.headers.get_all(HOST).iter();
    let header = headers
        .next()
        .map(|value| value.to_str().unwrap_or_default());
    if headers.next().is_some() {
        return Err(Refusal::BadRequest("two Host headers"));
    }
    let target = parts.uri.authority().map(http::uri::Authority::as_str);
    let host = match (header, target) {
        (Some(header), Some(target)) if !header.eq_ignore_ascii_case(target) => {
            return Err(Refusal::BadRequest("the target and the Host header differ"));
        }
        (Some(host), _) | (None, Some(host)) => host,
        (None, None) => return Err(Refusal::BadRequest("no Host header")),
    };
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    Ok(host.to_ascii_lowercase())
}

fn name_in_host(host: &str, base: &str) -> Option<String> {
    let name = host.strip_suffix(base)?.strip_suffix('.')?;
    is_name(name).then(|| name.to_owned())
}

fn name_in_path(path: &str, before: &[String]) -> Result<String, Refusal> {
    let mut segments = path.split('/').skip(1);
    let is_below = before
        .iter()
        .all(|expected| segments.next() == Some(expected));
    let name = segments.next().filter(|name| is_below && is_name(name));
    name.map(str::to_owned).ok_or(Refusal::NotFound)
}

/// A DNS label in its plain form: a percent sign, a dot or an `xn--` form is no clinic's name.
fn is_name(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(legal) && !text.starts_with("xn--")
}

impl fmt::Debug for TenantRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}
