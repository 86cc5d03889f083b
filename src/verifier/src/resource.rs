//! What the API says about itself (RFC 9728), and which URLs identify something.

use http::Uri;
use serde::Serialize;

use crate::Verifier;
use crate::error::BuildError;

/// The well-known path of an API whose resource identifier has no path of its own.
pub const PROTECTED_RESOURCE_METADATA_PATH: &str = "/.well-known/oauth-protected-resource";

/// The metadata document (RFC 9728 §2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProtectedResourceMetadata {
    /// The URL by which clients know this API.
    pub resource: String,
    /// The issuer, alone.
    pub authorization_servers: Vec<String>,
    /// The scopes that this API knows; left out if it did not say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// `header`, alone: a token in a query or a body is never read.
    pub bearer_methods_supported: Vec<String>,
    /// The name of this API for people; left out if it did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
}

impl Verifier {
    /// What this API says about itself (RFC 9728 §2); `None` if neither its audience nor
    /// [`Builder::resource`](crate::Builder::resource) is a URL.
    pub fn protected_resource_metadata(&self) -> Option<&ProtectedResourceMetadata> {
        self.resource().map(|resource| &resource.metadata)
    }

    /// The path at which clients look for it.
    pub fn metadata_path(&self) -> &str {
        self.resource()
            .map_or(PROTECTED_RESOURCE_METADATA_PATH, |resource| {
                &resource.metadata_path
            })
    }
}

/// What the builder was told about the API.
#[derive(Default)]
pub(crate) struct Description {
    pub(crate) url: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) scopes: Vec<String>,
}

/// The document, and where it is published.
pub(crate) struct Resource {
    pub(crate) metadata: ProtectedResourceMetadata,
    pub(crate) metadata_url: String,
    pub(crate) metadata_path: String,
}

impl Description {
    /// `None` if this API has no URL as its name: then there is nothing that RFC 9728 could
    /// publish.
    pub(crate) fn locate(
        self,
        issuer: &str,
        audience: &str,
    ) -> Result<Option<Resource>, BuildError> {
        let url = match self.url {
            Some(url) if is_identifier(&url) => url,
            Some(_) => return Err(BuildError::Resource),
            None if is_identifier(audience) => audience.to_owned(),
            None => return Ok(None),
        };
        // RFC 9728 §3.1: the well-known part goes between the host and the path.
        let (start, path) = split_path(&url);
        let metadata_path = format!("{PROTECTED_RESOURCE_METADATA_PATH}{path}");
        Ok(Some(Resource {
            metadata_url: format!("{start}{metadata_path}"),
            metadata_path,
            metadata: ProtectedResourceMetadata {
                resource: url,
                authorization_servers: vec![issuer.to_owned()],
                scopes_supported: self.scopes,
                bearer_methods_supported: vec!["header".to_owned()],
                resource_name: self.name,
            },
        }))
    }
}

/// Scheme and authority, and the path without a slash at its end.
fn split_path(url: &str) -> (&str, &str) {
    let authority_at = url.find("://").map_or(0, |at| at + 3);
    let path_at = url[authority_at..]
        .find('/')
        .map_or(url.len(), |at| authority_at + at);
    (&url[..path_at], url[path_at..].trim_end_matches('/'))
}

/// An `https` URL without user, query or fragment; `http` for a loopback host (RFC 8414 §2).
pub(crate) fn is_identifier(url: &str) -> bool {
    let safe =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'#' | b'?' | b'@');
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
        return false;
    };
    url.bytes().all(safe) && (scheme == "https" || (scheme == "http" && is_loopback(host)))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
