//! The issuer over real connections: RFC 8414, RFC 7517, TLS, and the activity endpoint.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::response::Redirect;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, Request, StatusCode};
use lanyard_verifier::test_issuer::TestIssuer;
use lanyard_verifier::{
    BuildError, HttpActivitySink, HttpClient, HttpError, HttpKeySource, KeySource, KeySourceError,
    Verifier, VerifyError,
};
use serde_json::Value;

use crate::lab::{AUDIENCE, bearing, call};
use crate::served::{AUTHORITY, in_the_clear, metadata, well_behaved, with_tls};

const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

async fn fetched(issuer: &str) -> Result<usize, KeySourceError> {
    let source = HttpKeySource::new(issuer).expect("a URL");
    source.fetch().await.map(|set| set.keys.len())
}

/// RFC 8414 §3: found by the issuer's metadata, once; then the key set alone.
#[tokio::test]
async fn a_verifier_finds_the_keys_of_its_issuer() {
    let issuer = TestIssuer::new("to be replaced");
    let (url, paths) = in_the_clear(well_behaved(&issuer)).await;
    let verifier = Verifier::builder(&url, AUDIENCE)
        .keys(HttpKeySource::new(&url).expect("a URL"))
        .build()
        .expect("all is given");
    let token = issuer.token(AUDIENCE).claim("iss", url.as_str()).mint();
    verifier.verify(&token).await.expect("good");
    verifier.refresh_keys().await.expect("the issuer answers");
    assert_eq!(paths.seen(), [WELL_KNOWN, "/jwks", "/jwks"]);
}

/// RFC 8414 §3.1: an issuer with a path has its metadata between host and path.
#[tokio::test]
async fn the_metadata_of_an_issuer_with_a_path_are_found() {
    let issuer = TestIssuer::new("to be replaced");
    let keys = issuer.clone();
    let (url, _) = in_the_clear(|url| {
        let metadata = metadata(&format!("{url}/id"), &format!("{url}/id/jwks"));
        Router::new()
            .route(
                &format!("{WELL_KNOWN}/id"),
                get(move || async move { metadata }),
            )
            .route("/id/jwks", get(move || async move { keys.jwks() }))
    })
    .await;
    assert_eq!(fetched(&format!("{url}/id")).await.expect("found"), 1);
}

/// RFC 8414 §3.3, and mix-up: the document must be about the issuer that was asked for.
#[tokio::test]
async fn metadata_of_another_issuer_are_refused() {
    for (issuer, jwks_uri) in [
        ("https://forger.example", "{url}/jwks"),
        ("{url}/", "{url}/jwks"),
        ("{url}", "http://forger.example/jwks"),
        ("{url}", "ftp://forger.example/jwks"),
        ("{url}", "/jwks"),
    ] {
        let (url, paths) = in_the_clear(|url| {
            let [issuer, jwks_uri] = [issuer, jwks_uri].map(|text| text.replace("{url}", url));
            let metadata = metadata(&issuer, &jwks_uri);
            Router::new().route(WELL_KNOWN, get(move || async move { metadata }))
        })
        .await;
        let refused = fetched(&url).await.expect_err("not this issuer's");
        assert!(
            matches!(refused, KeySourceError::Malformed(_)),
            "{issuer} {jwks_uri}: {refused}"
        );
        assert_eq!(paths.seen(), [WELL_KNOWN], "and nothing else is called");
    }
}

/// JWT-04: no redirect is followed, and an endless or broken answer is one that failed.
#[tokio::test]
async fn an_issuer_that_does_not_answer_plainly_is_unreachable() {
    let issuer = TestIssuer::new("to be replaced");
    let keys = issuer.clone();
    let (url, paths) = in_the_clear(move |_| {
        let long = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(300_000));
        Router::new()
            .route("/good", get(move || async move { keys.jwks() }))
            .route("/redirect", get(|| async { Redirect::temporary("/good") }))
            .route("/broken", get(|| async { "{\"keys\":" }))
            .route(
                "/html",
                get(|| async { "<html>sign in to this network</html>" }),
            )
            .route("/list", get(|| async { "[]" }))
            .route("/twice", get(|| async { "{\"keys\":[],\"keys\":[]}" }))
            .route("/long", get(move || async move { long }))
            .route("/down", get(|| async { StatusCode::BAD_GATEWAY }))
    })
    .await;
    for (path, ends_as) in [
        ("/good", "a set"),
        ("/redirect", "unreachable"),
        ("/broken", "malformed"),
        ("/html", "malformed"),
        ("/list", "malformed"),
        ("/twice", "malformed"),
        ("/long", "unreachable"),
        ("/down", "unreachable"),
        ("/absent", "unreachable"),
    ] {
        let (issuer, _) = in_the_clear(|issuer| {
            let metadata = metadata(issuer, &format!("{url}{path}"));
            Router::new().route(WELL_KNOWN, get(move || async move { metadata }))
        })
        .await;
        let ended_as = match fetched(&issuer).await {
            Ok(_) => "a set",
            Err(KeySourceError::Unreachable(_)) => "unreachable",
            Err(_) => "malformed",
        };
        assert_eq!(ended_as, ends_as, "{path}");
    }
    assert_eq!(
        paths.seen().iter().filter(|path| *path == "/good").count(),
        1
    );
    assert!(
        fetched("http://127.0.0.1:1").await.is_err(),
        "nobody listens"
    );
}

/// The issuer may move its key set: the old address forgotten, the metadata asked again.
#[tokio::test]
async fn a_key_set_that_moved_is_found_again() {
    let issuer = TestIssuer::new("to be replaced");
    let has_moved = Arc::new(AtomicBool::new(false));
    let (moved, keys) = (Arc::clone(&has_moved), issuer.clone());
    let (url, _) = in_the_clear(move |url| {
        let url = url.to_owned();
        let (told, old, new) = (Arc::clone(&moved), keys.clone(), keys);
        let address = move || {
            let place = if told.load(Ordering::SeqCst) {
                "new"
            } else {
                "old"
            };
            let metadata = metadata(&url, &format!("{url}/{place}"));
            async move { metadata }
        };
        let old = move || {
            let answer = if moved.load(Ordering::SeqCst) {
                None
            } else {
                Some(old.jwks())
            };
            async move { answer.ok_or(StatusCode::GONE) }
        };
        Router::new()
            .route(WELL_KNOWN, get(address))
            .route("/old", get(old))
            .route("/new", get(move || async move { new.jwks() }))
    })
    .await;
    let source = HttpKeySource::new(&url).expect("a URL");
    assert!(source.fetch().await.is_ok());
    has_moved.store(true, Ordering::SeqCst);
    assert!(source.fetch().await.is_err());
    assert!(source.fetch().await.is_ok());
}

/// RFC 9111 §5.2.2.
#[tokio::test]
async fn the_age_of_a_key_set_is_read_from_its_headers() {
    for (header, seconds) in [
        ("max-age=60", Some(60)),
        ("public, Max-Age=\"90\", immutable", Some(90)),
        ("no-store", Some(0)),
        ("no-cache, max-age=60", Some(0)),
        ("public", None),
        ("max-age=soon", None),
        ("s-maxage=60", None),
    ] {
        let (url, _) = in_the_clear(|url| {
            let metadata = metadata(url, &format!("{url}/jwks"));
            let jwks = move || async move { ([(CACHE_CONTROL, header)], "{\"keys\":[]}") };
            Router::new()
                .route(WELL_KNOWN, get(move || async move { metadata }))
                .route("/jwks", get(jwks))
        })
        .await;
        let set = HttpKeySource::new(&url)
            .expect("a URL")
            .fetch()
            .await
            .expect("a set");
        assert_eq!(set.max_age.map(|age| age.as_secs()), seconds, "{header}");
    }
}

/// TLS with ring, by the roots that were chosen and no others; nothing is installed in the process.
#[tokio::test]
async fn tls_trusts_who_it_was_told_to_trust() {
    let issuer = TestIssuer::new("to be replaced");
    let (url, _) = with_tls(well_behaved(&issuer)).await;
    let trusting = HttpClient::trusting(AUTHORITY).expect("a certificate");
    let source = || HttpKeySource::new(&url).expect("a URL");
    assert_eq!(
        source()
            .client(trusting.clone())
            .fetch()
            .await
            .expect("trusted")
            .keys
            .len(),
        1
    );
    assert!(
        source().fetch().await.is_err(),
        "no public authority vouches for it"
    );
    let other_name = url.replace("localhost", "127.0.0.1");
    let other_name = HttpKeySource::new(other_name)
        .expect("a URL")
        .client(trusting);
    assert!(
        other_name.fetch().await.is_err(),
        "the certificate is for another name"
    );
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
}

#[test]
fn certificates_that_are_none_are_refused() {
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for pem in ["", "no PEM", broken] {
        let refused = HttpClient::trusting(pem.as_bytes()).map(drop);
        assert!(matches!(refused, Err(HttpError::Certificates)), "{pem}");
    }
    for issuer in [
        "",
        "id.example",
        "http://id.example",
        "https://id.example?x",
    ] {
        assert_eq!(
            HttpKeySource::new(issuer).map(drop).err(),
            Some(BuildError::Issuer)
        );
        let sink = HttpActivitySink::new(issuer, "api", "secret").map(drop);
        assert_eq!(sink.err(), Some(BuildError::Issuer));
    }
}

/// JWT-20 over a real connection that is refused.
#[tokio::test]
async fn an_issuer_that_is_not_there_means_no_keys() {
    let verifier = Verifier::builder("http://127.0.0.1:1", AUDIENCE)
        .keys(HttpKeySource::new("http://127.0.0.1:1").expect("a URL"))
        .build()
        .expect("all is given");
    let token = TestIssuer::new("http://127.0.0.1:1").token(AUDIENCE).mint();
    assert_eq!(
        verifier.verify(&token).await.map(drop),
        Err(VerifyError::KeysUnavailable)
    );
}

type Reports = Arc<Mutex<Vec<(HeaderMap, Value)>>>;

/// Design §4, RFC 6749 §2.3.1: what the issuer's endpoint gets, over the wire, after one failure.
#[tokio::test]
async fn activity_is_posted_with_the_apis_credentials() {
    let issuer = TestIssuer::new("to be replaced");
    let reports = Reports::default();
    let tries = Arc::new(AtomicUsize::new(0));
    let (kept, counted) = (Arc::clone(&reports), Arc::clone(&tries));
    let served = well_behaved(&issuer);
    let take = move |headers: HeaderMap, axum::Json(body): axum::Json<Value>| async move {
        if counted.fetch_add(1, Ordering::SeqCst) == 0 {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        kept.lock().expect("not poisoned").push((headers, body));
        StatusCode::NO_CONTENT
    };
    let (url, _) = in_the_clear(|url| served(url).route("/activity", post(take))).await;
    let sink = HttpActivitySink::new(&url, "api visits", "s:cr+t/ä").expect("a URL");
    let shown = format!("{sink:?}");
    assert!(
        !shown.contains("s:cr") && !shown.contains("Basic"),
        "{shown}"
    );
    let verifier = Verifier::builder(&url, AUDIENCE)
        .keys(HttpKeySource::new(&url).expect("a URL"))
        .activity(sink)
        .build()
        .expect("all is given");
    let token = issuer.token(AUDIENCE).claim("iss", url.as_str()).mint();
    let router: Router = Router::new()
        .route("/", get(|| async { "in" }))
        .layer(verifier.layer());
    let request = bearing(Request::get("/"), &token).header("Lanyard-Activity", "person");
    assert_eq!(call(&router, request).await.status, StatusCode::OK);
    while reports.lock().expect("not poisoned").is_empty() {
        tokio::task::yield_now().await;
    }
    let (headers, body) = reports.lock().expect("not poisoned").remove(0);
    let credentials = STANDARD.encode("api+visits:s%3Acr%2Bt%2F%C3%A4");
    assert_eq!(headers[AUTHORIZATION], format!("Basic {credentials}"));
    assert_eq!(headers[CONTENT_TYPE], "application/json");
    let event = &body["events"][0];
    assert_eq!(event["sid"], "test-session");
    assert_eq!(event["jti"], "test-token");
    for member in ["iat", "exp", "at"] {
        assert!(event[member].is_i64(), "{member} in Unix seconds");
    }
    assert_eq!(event.as_object().expect("an object").len(), 6);
    assert_eq!(tries.load(Ordering::SeqCst), 2);
}
