//! Whether a client's parts agree, and where its people may be sent. Pure.

use url::Url;

use super::model::{AuthMethod, Client, ClientKind, NewClient, Profile, RedirectUri};
use crate::ids::TenantId;

/// The registrant's: why a client is not registered. Each says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationRefusal {
    /// A browser or device was given a secret to keep.
    #[error("spa and native clients can't keep a secret: their auth method is none")]
    PublicWithSecret,
    /// A server without one.
    #[error("web, service and resource clients have a secret: name an auth method other than none")]
    ConfidentialWithoutSecret,
    /// Without PKCE and without a secret nothing binds a code to who asked for it (RFC 9700 §2.1).
    #[error("spa and native clients speak the strict profile")]
    PublicNotStrict,
    /// FAPI 2.0 needs more than this release has.
    #[error("the fapi2 profile is not served yet: use strict")]
    Fapi2NotServed,
    /// Nowhere to send people.
    #[error("web, spa and native clients need at least one redirect address")]
    NoRedirect,
    /// Addresses for a client that nobody is sent to.
    #[error("service and resource clients have no redirect or logout addresses")]
    RedirectsNobody,
    /// A scheme of its own for something that is no app on a device.
    #[error("only native clients have a scheme of their own: use https")]
    PrivateScheme,
    /// RFC 8252 §8.3: `localhost` may be answered by others on the device.
    #[error("a native client's http address names 127.0.0.1 or [::1], not localhost")]
    NativeLocalhost,
    /// More than anybody needs.
    #[error("at most 50 addresses, 20 origins, 50 scopes and 20 audiences")]
    TooMany,
    /// Not RFC 6749 §3.3.
    #[error("a scope is made of letters, digits, `:`, `.`, `_`, `-`, at most 60 of them")]
    Scope,
    /// Not a name or absolute URI.
    #[error("an audience is an absolute URI or a name, without spaces or fragment")]
    Audience,
    /// OpenID Connect Dynamic Client Registration §2: for apps that a browser is sent to.
    #[error("only web and spa clients are told to begin a sign-in, at an https address")]
    InitiateLogin,
    /// Not a row of the lattice.
    #[error(
        "an app is patient, clinician, console or platform, for clients of the platform tenant"
    )]
    App,
}

/// Proof that [`may_register`] said yes.
#[derive(Debug)]
pub(crate) struct RegistrationPermit(());

/// Whether the parts of a new client agree (attacks AUTHZ-03, AUTHZ-04, CLI-20).
pub(crate) fn may_register(client: &NewClient) -> Result<RegistrationPermit, RegistrationRefusal> {
    authentication(client)?;
    addresses(client)?;
    names(client)?;
    Ok(RegistrationPermit(()))
}

fn authentication(client: &NewClient) -> Result<(), RegistrationRefusal> {
    let has_secret = client.auth_method != AuthMethod::None;
    match (client.kind.is_public(), has_secret) {
        (true, true) => Err(RegistrationRefusal::PublicWithSecret),
        (false, false) => Err(RegistrationRefusal::ConfidentialWithoutSecret),
        _ if client.profile == Profile::Fapi2 => Err(RegistrationRefusal::Fapi2NotServed),
        (true, _) if client.profile != Profile::Strict => Err(RegistrationRefusal::PublicNotStrict),
        _ => Ok(()),
    }
}

fn addresses(client: &NewClient) -> Result<(), RegistrationRefusal> {
    if let Some(address) = &client.initiate_login_uri
        && (!matches!(client.kind, ClientKind::Web | ClientKind::Spa)
            || address.is_private_scheme())
    {
        return Err(RegistrationRefusal::InitiateLogin);
    }
    let all: Vec<&RedirectUri> = client
        .redirect_uris
        .iter()
        .chain(&client.post_logout_redirect_uris)
        .collect();
    if !client.kind.redirects() {
        let none = all.is_empty();
        return none
            .then_some(())
            .ok_or(RegistrationRefusal::RedirectsNobody);
    }
    if client.redirect_uris.is_empty() {
        return Err(RegistrationRefusal::NoRedirect);
    }
    // Our own apps have addresses at every clinic's host.
    let most = if client.app.is_some() { 5000 } else { 50 };
    if all.len() > most || client.origins.len() > 20 {
        return Err(RegistrationRefusal::TooMany);
    }
    let is_native = client.kind == ClientKind::Native;
    if all.iter().any(|a| a.is_private_scheme()) && !is_native {
        return Err(RegistrationRefusal::PrivateScheme);
    }
    if is_native && all.iter().any(|a| a.is_http() && !a.is_loopback_ip()) {
        return Err(RegistrationRefusal::NativeLocalhost);
    }
    Ok(())
}

fn names(client: &NewClient) -> Result<(), RegistrationRefusal> {
    if client.scopes.len() > 50 || client.audiences.len() > 20 {
        return Err(RegistrationRefusal::TooMany);
    }
    let is_scope = |s: &String| {
        (1..=60).contains(&s.len())
            && s.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b":._-".contains(&b))
    };
    if !client.scopes.iter().all(is_scope) {
        return Err(RegistrationRefusal::Scope);
    }
    let is_audience = |a: &String| {
        (1..=300).contains(&a.len())
            && a.bytes().all(|b| b.is_ascii_graphic())
            && !a.contains(['#', '"', '\\', '*'])
    };
    if !client.audiences.iter().all(is_audience) {
        return Err(RegistrationRefusal::Audience);
    }
    let app_fits = client.app.as_deref().is_none_or(|app| {
        matches!(app, "patient" | "clinician" | "console" | "platform")
            && client.tenant == TenantId::PLATFORM
    });
    app_fits.then_some(()).ok_or(RegistrationRefusal::App)
}

/// Where a client is told to begin a sign-in for somebody of a clinic (OIDC Core §4): at the host
/// of its own that the clinic has, if one of its redirect addresses is there; else as registered.
///
/// - `label`: the first part of such a host, the clinic's slug
pub fn initiate_login_address(client: &Client, label: &str) -> Option<Url> {
    let registered = Url::parse(client.initiate_login_uri.as_deref()?).ok()?;
    let mut at_clinic = registered.clone();
    let host = format!("{label}.{}", registered.host_str()?);
    let is_there = at_clinic.set_host(Some(&host)).is_ok()
        && client
            .redirect_uris
            .iter()
            .any(|known| Url::parse(known).is_ok_and(|known| known.origin() == at_clinic.origin()));
    Some(if is_there { at_clinic } else { registered })
}

/// Whether a code of this client may be sent to `presented`: byte for byte one that is registered,
/// but for the port of a native client's loopback IP address (RFC 8252 §7.3; attacks CLI-20).
pub fn may_redirect(client: &Client, presented: &str) -> bool {
    is_registered(client.kind, &client.redirect_uris, presented)
}

/// Whether a logout may end at `presented`.
pub fn may_end_at(client: &Client, presented: &str) -> bool {
    is_registered(client.kind, &client.post_logout_redirect_uris, presented)
}

fn is_registered(kind: ClientKind, registered: &[String], presented: &str) -> bool {
    if registered.iter().any(|r| r == presented) {
        return true;
    }
    if kind != ClientKind::Native {
        return false;
    }
    let Ok(presented) = RedirectUri::parse(presented) else {
        return false;
    };
    presented.is_loopback_ip()
        && registered
            .iter()
            .filter_map(|r| RedirectUri::parse(r).ok())
            .any(|r| r.is_loopback_ip() && r.same_but_port(&presented))
}
