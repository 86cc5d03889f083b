//! The issuer's parsers.

use std::net::{IpAddr, SocketAddr};

use axum_extra::extract::CookieJar;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, header};
use lanyard::apps::policy::{self as apps, Host};
use lanyard::config::Proxy;
use lanyard::http::browser;
use lanyard::http::form::Parameters;
use lanyard::http::peer::client_of;
use lanyard::ids::{ClientId, TenantId};
use lanyard::oidc::authorize::request;
use lanyard::oidc::client::authentication::basic as read_basic;
use lanyard::oidc::client::model::RedirectUri;
use lanyard::oidc::client::{
    AuthMethod, Client, ClientKind, ClientStatus, IdTokenAlg, Profile, policy as redirects,
};
use lanyard::oidc::family::refresh_token::PresentedRefreshToken;
use lanyard::oidc::interaction::Prompt;
use secrecy::ExposeSecret as _;
use time::OffsetDateTime;
use url::{Url, form_urlencoded};

const WEB: &str = "https://app.example/callback";
const LOOPBACK: &str = "http://127.0.0.1/callback";
const SCOPES: [&str; 5] = ["openid", "profile", "email", "visits:read", "members:read"];
const AUDIENCES: [&str; 2] = ["https://id.example/api/v1", "https://api.example"];

fn client(kind: ClientKind, redirect_uri: &str) -> Client {
    let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
    Client {
        tenant: TenantId::PLATFORM,
        id: ClientId::parse("web-a").expect("a client's id"),
        name: "An app".to_owned(),
        kind,
        profile: Profile::Strict,
        auth_method: AuthMethod::ClientSecretBasic,
        id_token_alg: IdTokenAlg::Rs256,
        redirect_uris: texts(&[redirect_uri]),
        post_logout_redirect_uris: vec![],
        initiate_login_uri: None,
        origins: vec![],
        scopes: texts(&SCOPES[3..]),
        audiences: texts(&AUDIENCES),
        app: None,
        is_first_party: true,
        status: ClientStatus::Active,
        created_at: OffsetDateTime::UNIX_EPOCH,
        version: String::new(),
    }
}

/// Queries and forms: a value that is given was given once, whole, and in UTF-8.
pub(super) fn parameters(data: &[u8]) {
    let Ok(given) = Parameters::parse(data) else {
        return;
    };
    let read: Vec<_> = form_urlencoded::parse(data)
        .filter(|(_, value)| !value.is_empty())
        .collect();
    for name in ["client_id", "scope", "resource", "code", "a"] {
        let expected: Vec<&str> = read
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, value)| value.as_ref())
            .collect();
        let found: Vec<&str> = given.all(name).collect();
        assert_eq!(found, expected, "{name}");
        assert!(
            found
                .iter()
                .all(|v| !v.contains('\0') && v.len() <= 8 * 1024)
        );
        match given.one(name) {
            Ok(one) => assert!(found.len() <= 1 && one == found.first().copied()),
            Err(_) => assert!(found.len() > 1, "{name}"),
        }
        let is_repeated = found.len() > 1;
        assert!(!is_repeated || given.repeated(&[]).is_some());
    }
}

/// Authorization requests: what is granted is registered, bound and said once.
pub(super) fn authorize(data: &[u8]) {
    let Ok(given) = Parameters::parse(data) else {
        return;
    };
    let client = client(ClientKind::Web, WEB);
    let Ok(read) = request::read(&given, &client, WEB) else {
        return;
    };
    assert_eq!(given.one("response_type"), Ok(Some("code")));
    assert_eq!(given.one("state").ok().flatten(), read.state.as_deref());
    assert_eq!(given.one("nonce").ok().flatten(), read.nonce.as_deref());
    assert!(AUDIENCES.contains(&read.audience.as_str()));
    let challenge = read
        .code_challenge
        .expect("a strict client has a challenge");
    let digest = URL_SAFE_NO_PAD.decode(&challenge).expect("base64url alone");
    assert_eq!(digest.len(), 32);
    assert!(!read.prompt.contains(&Prompt::None) || read.prompt.len() == 1);
    are_granted(&read.scopes, given.one("scope").ok().flatten());
}

/// The `scope` of a request that is right in all else.
pub(super) fn scopes(data: &[u8]) {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("response_type", "code")
        .append_pair("code_challenge_method", "S256")
        .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode([7; 32]))
        .append_pair("scope", &String::from_utf8_lossy(data))
        .finish();
    let Ok(given) = Parameters::parse(query.as_bytes()) else {
        return;
    };
    if let Ok(read) = request::read(&given, &client(ClientKind::Web, WEB), WEB) {
        are_granted(&read.scopes, given.one("scope").ok().flatten());
    }
}

#[track_caller]
fn are_granted(granted: &[String], asked: Option<&str>) {
    let asked = asked.expect("nothing is granted unasked");
    assert!(!granted.is_empty());
    assert!(granted.is_sorted_by(|a, b| a < b), "each once: {granted:?}");
    for scope in granted {
        assert!(SCOPES.contains(&scope.as_str()), "{scope} is registered");
        assert!(
            asked.split(' ').any(|word| word == scope),
            "{scope} is asked for"
        );
    }
}

/// Redirect addresses: byte for byte, but for a native client's loopback port.
pub(super) fn redirect(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let web = client(ClientKind::Web, WEB);
    assert_eq!(redirects::may_redirect(&web, text), text == WEB);
    let native = client(ClientKind::Native, LOOPBACK);
    if redirects::may_redirect(&native, text) {
        let mut url = Url::parse(text).expect("an address that is redirected to");
        url.set_port(None).expect("http has ports");
        assert_eq!(url.as_str(), LOOPBACK, "{text}");
    }
    if let Ok(address) = RedirectUri::parse(text) {
        assert_eq!(address.as_str(), text);
        let url = Url::parse(text).expect("an absolute address");
        assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
        let is_native_own = url.scheme().contains('.');
        let is_here = matches!(url.scheme(), "http")
            && url.host().is_some_and(|host| match host {
                url::Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
                url::Host::Ipv4(ip) => ip.is_loopback(),
                url::Host::Ipv6(ip) => ip.is_loopback(),
            });
        assert!(
            url.scheme() == "https" || is_here || is_native_own,
            "{text}"
        );
    }
}

/// The `Cookie` header: a session that is read stands in it, in the one spelling it has.
pub(super) fn cookies(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else {
        return;
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::COOKIE, value);
    let (secret, session) = browser::presented(&CookieJar::from_headers(&headers));
    if let Some(secret) = secret {
        assert_eq!(secret.expose_secret().len(), 43);
    }
    if let Some(session) = session {
        let again = session.secret.cookie_value(session.id);
        let text = headers[header::COOKIE].to_str().expect("cookies are ASCII");
        assert!(text.contains(again.expose_secret()));
    }
}

/// `Authorization: Basic`: one client and one secret, or nothing.
pub(super) fn basic(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    // As it comes, and as the inside of a header that is well-formed around it.
    let wrapped = format!("Basic {}", STANDARD.encode(text));
    for header in [text, wrapped.as_str()] {
        let Some((id, secret)) = read_basic(header) else {
            continue;
        };
        assert_eq!(ClientId::parse(id.as_str()), Some(id.clone()));
        assert!(!secret.expose_secret().is_empty());
        let word =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", word(id.as_str()), word(secret.expose_secret()));
        let again = read_basic(&format!("Basic {}", STANDARD.encode(pair)));
        let (id_again, secret_again) = again.expect("what was read can be written");
        assert_eq!(id_again, id);
        assert_eq!(secret_again.expose_secret(), secret.expose_secret());
    }
}

/// Refresh tokens: one spelling each.
pub(super) fn tokens(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Some(token) = PresentedRefreshToken::parse(text) {
        assert_eq!(token.expose().expose_secret(), text);
    }
}

/// Whom a host names: a clinic's label stands alone before the app's own host.
pub(super) fn host(data: &[u8]) {
    const OWN: &str = "patients.example:8443";
    let Ok(asked) = Authority::try_from(data) else {
        return;
    };
    let lower = asked.as_str().to_ascii_lowercase();
    match apps::host(&asked, OWN) {
        Host::App => assert_eq!(lower, OWN),
        Host::Label(label) => {
            assert_eq!(lower, format!("{label}.{OWN}"));
            let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            assert!((3..=40).contains(&label.len()) && label.bytes().all(legal));
        }
        Host::Loopback => {
            let bare = asked.host().trim_start_matches('[').trim_end_matches(']');
            let ip: std::net::IpAddr = bare.parse().expect("an IP address");
            assert!(ip.is_loopback());
        }
        Host::Stranger => assert_ne!(lower, OWN),
    }
}

/// `X-Forwarded-For`: nothing from a stranger; from a proxy of ours, an address that stands in it,
/// with nobody but proxies to its right.
pub(super) fn forwarded(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else {
        return;
    };
    let mut headers = HeaderMap::new();
    headers.insert("x-forwarded-for", value.clone());
    let proxy = Proxy {
        trusted: vec!["10.0.0.0/8".parse().expect("a network")],
    };
    let stranger = IpAddr::from([192, 0, 2, 7]);
    assert_eq!(client_of(stranger, &headers, &proxy).0, stranger);
    let ours = IpAddr::from([10, 0, 0, 1]);
    let client = client_of(ours, &headers, &proxy).0;
    if client == ours {
        return;
    }
    let text = value.to_str().expect("addresses are ASCII");
    let read = |hop: &str| {
        let at = hop.parse().map(|at: SocketAddr| at.ip());
        let bare = hop.trim_start_matches('[').trim_end_matches(']').parse();
        bare.or(at).map(|ip: IpAddr| ip.to_canonical())
    };
    let mut hops = text.rsplit(',').map(|hop| read(hop.trim()));
    let found = hops.find(|hop| match hop {
        Ok(ip) => *ip == client || !proxy.is_trusted(*ip),
        Err(_) => true,
    });
    assert_eq!(found, Some(Ok(client)), "{text}");
}
