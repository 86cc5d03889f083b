//! Clients as values. What parses here is fit to be stored.

use secrecy::SecretString;
use time::OffsetDateTime;
use url::{Host, Url};

use crate::ids::{ClientId, TenantId};
use crate::words::words;

/// Longest address that is registered, in bytes.
const MAX_ADDRESS_BYTES: usize = 1000;

words! {
    /// What runs the client: decides whether it can keep a secret (RFC 6749 §2.1).
    ClientKind {
        /// On a server, with a secret.
        Web = "web",
        /// In a browser: public.
        Spa = "spa",
        /// On a device: public (RFC 8252).
        Native = "native",
        /// Itself, without a person: `client_credentials` alone.
        Service = "service",
        /// An API that checks tokens and reports activity.
        Resource = "resource",
    }
}

words! {
    /// How strictly the client speaks.
    Profile {
        /// PKCE always (RFC 9700 §2.1.1).
        Strict = "strict",
        /// Plain OpenID Connect: PKCE if it wants to. Confidential clients alone.
        Oidc = "oidc",
        /// FAPI 2.0 Security Profile: refresh tokens do not rotate.
        Fapi2 = "fapi2",
    }
}

words! {
    /// How the client proves itself at the token endpoint (RFC 7591 §2).
    AuthMethod {
        /// It can't.
        None = "none",
        /// HTTP Basic (RFC 6749 §2.3.1).
        ClientSecretBasic = "client_secret_basic",
        /// In the form.
        ClientSecretPost = "client_secret_post",
    }
}

words! {
    /// What its ID tokens are signed with (`id_token_signed_response_alg`).
    IdTokenAlg {
        /// The default of OpenID Connect.
        Rs256 = "RS256",
        /// ECDSA on P-256.
        Es256 = "ES256",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

words! {
    /// Whether it may be used.
    ClientStatus {
        /// Yes.
        Active = "active",
        /// No.
        Disabled = "disabled",
    }
}

impl ClientKind {
    /// Whether it can't keep a secret.
    pub const fn is_public(self) -> bool {
        matches!(self, Self::Spa | Self::Native)
    }

    /// Whether people are sent back to it.
    pub const fn redirects(self) -> bool {
        matches!(self, Self::Web | Self::Spa | Self::Native)
    }
}

/// A client as stored.
#[derive(Clone, Debug)]
pub struct Client {
    /// Whose: a clinic, or the platform for apps that all clinics share.
    pub tenant: TenantId,
    /// Its public name in the protocol.
    pub id: ClientId,
    /// For people.
    pub name: String,
    /// What runs it.
    pub kind: ClientKind,
    /// How strictly it speaks.
    pub profile: Profile,
    /// How it proves itself.
    pub auth_method: AuthMethod,
    /// What its ID tokens are signed with.
    pub id_token_alg: IdTokenAlg,
    /// Where codes may be sent, byte for byte.
    pub redirect_uris: Vec<String>,
    /// Where a logout may end, byte for byte.
    pub post_logout_redirect_uris: Vec<String>,
    /// Where it is told to begin a sign-in (OIDC Core §4).
    pub initiate_login_uri: Option<String>,
    /// From where a browser's script may call us.
    pub origins: Vec<String>,
    /// What it may ask for.
    pub scopes: Vec<String>,
    /// For whom its access tokens may be; the first is the default.
    pub audiences: Vec<String>,
    /// A row of the lattice of clocks: patient, clinician, console, or none.
    pub app: Option<String>,
    /// Whether whoever runs this platform, or the client's clinic, made it: its people are not
    /// asked what it may see.
    pub is_first_party: bool,
    /// Whether it may be used.
    pub status: ClientStatus,
    /// Since when it is known.
    pub created_at: OffsetDateTime,
    /// Which writing of its row this is: another one has another.
    pub version: String,
}

impl Client {
    /// Whether people are asked before it sees anything of theirs.
    pub const fn is_third_party(&self) -> bool {
        self.kind.redirects() && !self.is_first_party && self.app.is_none()
    }
}

/// A client to be registered; [`super::policy::may_register`] says whether its parts agree.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// Whose.
    pub tenant: TenantId,
    /// Its public name.
    pub id: ClientId,
    /// For people.
    pub name: ClientName,
    /// What runs it.
    pub kind: ClientKind,
    /// How strictly it speaks.
    pub profile: Profile,
    /// How it proves itself.
    pub auth_method: AuthMethod,
    /// What its ID tokens are signed with.
    pub id_token_alg: IdTokenAlg,
    /// Where codes may be sent.
    pub redirect_uris: Vec<RedirectUri>,
    /// Where a logout may end.
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Where it is told to begin a sign-in (OIDC Core §4).
    pub initiate_login_uri: Option<RedirectUri>,
    /// From where a browser's script may call us.
    pub origins: Vec<WebOrigin>,
    /// What it may ask for (RFC 6749 §3.3).
    pub scopes: Vec<String>,
    /// For whom its access tokens may be; the first is the default.
    pub audiences: Vec<String>,
    /// A row of the lattice of clocks.
    pub app: Option<String>,
    /// Whether its people are not asked what it may see; that of an `app` never are.
    pub is_first_party: bool,
}

/// What people read: 1 to 80 characters, none of them a control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientName(String);

impl ClientName {
    /// Parses it; `None` if it is no name.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = (1..=80).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An address that a browser may be sent to: absolute, exact, without fragment or wildcard.
///
/// `https` anywhere; `http` on loopback hosts alone; a scheme with a dot in it for native clients
/// (RFC 8252 §7.1). Never a scheme that runs or shows something (attacks AUTHZ-03, AUTHZ-04).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    url: Url,
}

/// The registrant's: why an address is not registered. Each says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefusal {
    /// Not an absolute URL of visible ASCII characters.
    #[error("is no absolute URL of plain ASCII characters")]
    NotAUrl,
    /// Longer than is registered.
    #[error("is longer than 1000 characters")]
    TooLong,
    /// Holds `*`.
    #[error("holds a `*`: addresses are compared byte for byte, so name each one")]
    Wildcard,
    /// Holds a `#`.
    #[error("holds a fragment: leave out `#` and what follows (RFC 6749 §3.1.2)")]
    Fragment,
    /// Holds a user or password.
    #[error("holds a user name: leave out what stands before `@`")]
    UserInfo,
    /// Would be read as another address.
    #[error("is not written as browsers write it: lower-case host, no default port, no `..`")]
    NotCanonical,
    /// Plain http to another machine.
    #[error("is http to another machine: use https, or a loopback host")]
    PlainHttp,
    /// Neither http(s) nor a scheme with a dot.
    #[error("has a scheme that nobody is redirected to: use https")]
    Scheme,
    /// More than scheme, host and port.
    #[error("is more than an origin: name scheme, host and port alone, as in https://app.example")]
    NotAnOrigin,
}

impl RedirectUri {
    /// Parses it.
    pub fn parse(text: &str) -> Result<Self, AddressRefusal> {
        if text.len() > MAX_ADDRESS_BYTES {
            return Err(AddressRefusal::TooLong);
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) || text.contains(['\\', '<', '>', '"']) {
            return Err(AddressRefusal::NotAUrl);
        }
        if text.contains('*') {
            return Err(AddressRefusal::Wildcard);
        }
        if text.contains('#') {
            return Err(AddressRefusal::Fragment);
        }
        let url = Url::parse(text).map_err(|_| AddressRefusal::NotAUrl)?;
        check_scheme(&url)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressRefusal::UserInfo);
        }
        // `https://app.example` is the one form that gains a slash when parsed.
        let canonical = url.as_str();
        if canonical != text && canonical.strip_suffix('/') != Some(text) {
            return Err(AddressRefusal::NotCanonical);
        }
        Ok(Self {
            text: text.to_owned(),
            url,
        })
    }

    /// Exactly as registered.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether its scheme is a native app's own.
    pub fn is_private_scheme(&self) -> bool {
        !matches!(self.url.scheme(), "http" | "https")
    }

    /// Whether it is http on a loopback IP address: there alone a native client's port may differ
    /// (RFC 8252 §7.3).
    pub fn is_loopback_ip(&self) -> bool {
        let by_ip = match self.url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(_)) | None => false,
        };
        by_ip && self.url.scheme() == "http"
    }

    /// Whether it is plain http, so on this machine.
    pub fn is_http(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// The same address but for the port.
    pub(super) fn same_but_port(&self, other: &Self) -> bool {
        self.url.scheme() == other.url.scheme()
            && self.url.host() == other.url.host()
            && self.url.path() == other.url.path()
            && self.url.query() == other.url.query()
    }
}

fn check_scheme(url: &Url) -> Result<(), AddressRefusal> {
    match url.scheme() {
        "https" if url.host().is_some() => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        "http" => Err(AddressRefusal::PlainHttp),
        // A reversed domain name of the app's maker: `com.example.app:/callback`.
        own if own.contains('.') => Ok(()),
        _ => Err(AddressRefusal::Scheme),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// What a browser sends in `Origin`: scheme, host and port, no slash (RFC 6454 §6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin(String);

impl WebOrigin {
    /// Parses it.
    pub fn parse(text: &str) -> Result<Self, AddressRefusal> {
        let address = RedirectUri::parse(text)?;
        if address.is_private_scheme() {
            return Err(AddressRefusal::Scheme);
        }
        if address.url.origin().ascii_serialization() != text {
            return Err(AddressRefusal::NotAnOrigin);
        }
        Ok(Self(text.to_owned()))
    }

    /// As in the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A client's secret in clear, shown once: `lcs_` and 43 characters.
#[derive(Debug)]
pub struct ShownSecret(pub(super) SecretString);

impl ShownSecret {
    /// What the operator is shown, once.
    pub const fn secret(&self) -> &SecretString {
        &self.0
    }
}
