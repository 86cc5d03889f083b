//! Registering clients: what is refused, and what becomes of their secrets.

use lanyard::ids::{ClientId, TenantId};
use lanyard::oidc::client::policy::{RegistrationRefusal, may_redirect};
use lanyard::oidc::client::service::{RegisterOutcome, RotateOutcome};
use lanyard::oidc::client::{
    AuthMethod, Client, ClientKind, ClientName, IdTokenAlg, NewClient, Profile, RedirectUri,
    WebOrigin,
};
use secrecy::ExposeSecret as _;
use time::Duration;

use super::Desk;

fn web(tenant: TenantId, id: &str) -> NewClient {
    NewClient {
        tenant,
        id: ClientId::parse(id).unwrap(),
        name: ClientName::parse("Front desk").unwrap(),
        kind: ClientKind::Web,
        profile: Profile::Strict,
        auth_method: AuthMethod::ClientSecretBasic,
        id_token_alg: IdTokenAlg::Rs256,
        redirect_uris: vec![RedirectUri::parse("https://app.acme.test/cb").unwrap()],
        post_logout_redirect_uris: Vec::new(),
        initiate_login_uri: None,
        origins: Vec::new(),
        scopes: vec!["openid".to_owned()],
        audiences: Vec::new(),
        app: None,
        is_first_party: false,
    }
}

fn native(tenant: TenantId, redirect: &str) -> NewClient {
    NewClient {
        kind: ClientKind::Native,
        auth_method: AuthMethod::None,
        redirect_uris: vec![RedirectUri::parse(redirect).unwrap()],
        ..web(tenant, "phone")
    }
}

async fn registered(desk: &Desk, new: &NewClient) -> Client {
    let outcome = desk.operator().register_client(new).await.unwrap();
    assert!(
        matches!(outcome, RegisterOutcome::Registered(_)),
        "{outcome:?}"
    );
    let clients = desk.operator().list_clients(new.tenant).await.unwrap();
    clients.into_iter().find(|c| c.id == new.id).unwrap()
}

/// AUTHZ-03: only https, http to this machine, and a scheme with a dot.
#[test]
fn nobody_is_redirected_to_a_scheme_that_runs_or_shows_something() {
    let bad = [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        " javascript:x",
        "view-source:https://app.acme.test",
        "blob:https://app.acme.test/x",
        "file:///etc/passwd",
        "http://app.acme.test/cb",
        "http://10.0.0.1/cb",
        "myapp:/cb",
        "https:app.acme.test",
        "//app.acme.test/cb",
        "app.acme.test/cb",
    ];
    for bad in bad {
        assert!(RedirectUri::parse(bad).is_err(), "{bad}");
    }
    for good in [
        "https://app.acme.test/cb",
        "http://127.0.0.1/cb",
        "http://[::1]:61023/cb",
        "http://localhost:8081/callback",
        "http://juniper.localhost:8081/callback",
        "com.acme.app:/cb",
        "https://app.acme.test/cb?x=1",
        "https://app.acme.test",
    ] {
        assert!(RedirectUri::parse(good).is_ok(), "{good}");
    }
}

/// AUTHZ-02, AUTHZ-04: an address is one address, written as browsers write it.
#[test]
fn an_address_is_no_pattern_and_has_one_spelling() {
    let bad = [
        "",
        ".*",
        "https://*.acme.test/cb",
        "https://app.acme.test/*",
        "https://app.acme.test/cb#f",
        "https://app.acme.test/cb#",
        "https://APP.acme.test/cb",
        "https://app.acme.test:443/cb",
        "https://app.acme.test/a/../cb",
        "https://u:p@app.acme.test/cb",
        "https://app.acme.test/cb\u{0}",
        "https://app.acme.test\\@evil.test/cb",
        "https://app.\u{e4}cme.test/cb",
    ];
    for bad in bad {
        assert!(RedirectUri::parse(bad).is_err(), "{bad}");
    }
    assert!(WebOrigin::parse("https://app.acme.test").is_ok());
    for bad in [
        "https://app.acme.test/",
        "https://app.acme.test/cb",
        "*",
        "null",
        "com.acme.app:/cb",
    ] {
        assert!(WebOrigin::parse(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_client_whose_parts_disagree_is_not_registered() {
    let desk = Desk::open().await;
    let juniper = desk.clinic("juniper").await;
    let cases = disagreeing(juniper);
    for (new, expected) in cases {
        match desk.operator().register_client(&new).await.unwrap() {
            RegisterOutcome::Refused(why) => assert_eq!(why, expected),
            other => panic!("{expected:?}: {other:?}"),
        }
    }
    assert!(
        desk.operator()
            .list_clients(juniper)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(desk.events(juniper).await, ["tenant.created"]);
}

fn disagreeing(tenant: TenantId) -> Vec<(NewClient, RegistrationRefusal)> {
    use RegistrationRefusal as Why;
    let own_scheme = vec![RedirectUri::parse("com.acme.app:/cb").unwrap()];
    let web = || web(tenant, "abc");
    let plain = native(tenant, "http://127.0.0.1/cb");
    vec![
        (
            NewClient {
                kind: ClientKind::Spa,
                ..web()
            },
            Why::PublicWithSecret,
        ),
        (
            NewClient {
                auth_method: AuthMethod::None,
                ..web()
            },
            Why::ConfidentialWithoutSecret,
        ),
        (
            NewClient {
                profile: Profile::Oidc,
                ..plain
            },
            Why::PublicNotStrict,
        ),
        (
            NewClient {
                redirect_uris: own_scheme,
                ..web()
            },
            Why::PrivateScheme,
        ),
        (native(tenant, "http://localhost/cb"), Why::NativeLocalhost),
        (
            NewClient {
                redirect_uris: Vec::new(),
                ..web()
            },
            Why::NoRedirect,
        ),
        (
            NewClient {
                kind: ClientKind::Service,
                ..web()
            },
            Why::RedirectsNobody,
        ),
        (
            NewClient {
                app: Some("patient".to_owned()),
                ..web()
            },
            Why::App,
        ),
    ]
}

/// An id is found without its tenant, so no two clinics have the same.
#[tokio::test]
async fn a_client_id_is_taken_once_on_the_platform() {
    let desk = Desk::open().await;
    let (juniper, harbor) = (desk.clinic("juniper").await, desk.clinic("harbor").await);
    registered(&desk, &web(juniper, "front-desk")).await;
    for tenant in [juniper, harbor] {
        let again = desk
            .operator()
            .register_client(&web(tenant, "front-desk"))
            .await
            .unwrap();
        assert!(matches!(again, RegisterOutcome::IdTaken));
    }
    assert_eq!(
        desk.events(juniper).await,
        ["tenant.created", "client.created"]
    );
}

/// CLI-20: the port may differ for native clients on a loopback IP address, and nowhere else.
#[tokio::test]
async fn only_a_native_clients_loopback_port_may_differ() {
    let desk = Desk::open().await;
    let juniper = desk.clinic("juniper").await;
    let phone = registered(&desk, &native(juniper, "http://127.0.0.1/cb")).await;
    assert!(may_redirect(&phone, "http://127.0.0.1:61023/cb"));
    for other in [
        "http://localhost:61023/cb",
        "http://127.0.0.1:61023/cb/",
        "http://127.0.0.1:61023/cb?x=1",
        "http://127.0.0.2:61023/cb",
        "https://127.0.0.1/cb",
    ] {
        assert!(!may_redirect(&phone, other), "{other}");
    }
    let redirect = RedirectUri::parse("http://127.0.0.1/cb").unwrap();
    let on_loopback = NewClient {
        redirect_uris: vec![redirect],
        ..web(juniper, "desk")
    };
    let desk_app = registered(&desk, &on_loopback).await;
    assert!(may_redirect(&desk_app, "http://127.0.0.1/cb"));
    assert!(!may_redirect(&desk_app, "http://127.0.0.1:61023/cb"));
}

/// CLI-18: at most two live secrets, the older with an end; none is ever readable again.
#[tokio::test]
async fn a_rotated_secret_goes_on_for_its_overlap_and_no_longer() {
    let desk = Desk::open().await;
    let juniper = desk.clinic("juniper").await;
    let client = web(juniper, "front-desk");
    let RegisterOutcome::Registered(Some(first)) =
        desk.operator().register_client(&client).await.unwrap()
    else {
        panic!("a confidential client has a secret");
    };
    let text = first.secret().expose_secret();
    assert!(
        text.starts_with("lcs_") && text.len() == 47,
        "{}",
        text.len()
    );
    assert!(!format!("{first:?}").contains(text));
    for _ in 0..3 {
        let overlap = Duration::hours(24);
        let rotated = desk
            .operator()
            .rotate_client_secret(juniper, &client.id, overlap)
            .await
            .unwrap();
        assert!(matches!(rotated, RotateOutcome::Rotated { .. }));
        assert_eq!(stored_secrets(&desk).await, (1, 1));
    }
    let now = Duration::ZERO;
    desk.operator()
        .rotate_client_secret(juniper, &client.id, now)
        .await
        .unwrap();
    assert_eq!(stored_secrets(&desk).await, (1, 0));
    assert!(
        desk.operator()
            .delete_client(juniper, &client.id)
            .await
            .unwrap()
    );
    assert!(
        !desk
            .operator()
            .delete_client(juniper, &client.id)
            .await
            .unwrap()
    );
    assert_eq!(stored_secrets(&desk).await, (0, 0));
}

/// Secrets without an end, and with one that is still to come.
async fn stored_secrets(desk: &Desk) -> (i64, i64) {
    let mut boss = desk.database.superuser().await;
    sqlx::query_as(
        "select count(*) filter (where expires_at is null),
                count(*) filter (where expires_at > clock_timestamp())
         from identity.client_secret",
    )
    .fetch_one(&mut boss)
    .await
    .unwrap()
}

#[tokio::test]
async fn two_rotations_at_once_leave_two_live_secrets() {
    let desk = Desk::open().await;
    let juniper = desk.clinic("juniper").await;
    let client = web(juniper, "front-desk");
    registered(&desk, &client).await;
    let rotate = || async {
        let operator = desk.operator();
        operator
            .rotate_client_secret(juniper, &client.id, Duration::hours(1))
            .await
            .unwrap()
    };
    tokio::join!(rotate(), rotate(), rotate(), rotate());
    assert_eq!(stored_secrets(&desk).await, (1, 1));
}
