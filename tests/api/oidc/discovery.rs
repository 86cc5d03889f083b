//! Discovery and the JWK Set.

use serde_json::Value;

use super::World;

/// OIDC Discovery 1.0 §3, RFC 8414 §2: the same document at both addresses; every endpoint in it
/// answers something else than 404.
#[tokio::test]
async fn the_metadata_is_true_of_the_server() {
    let world = World::new().await;
    let browser = world.lab.browser();
    let oidc = browser.get("/.well-known/openid-configuration").await;
    let oauth = browser.get("/.well-known/oauth-authorization-server").await;
    let document = oidc.json();
    assert_eq!(document, oauth.json());
    assert_eq!(document["issuer"], world.lab.issuer());
    assert_eq!(
        document["code_challenge_methods_supported"],
        serde_json::json!(["S256"])
    );
    assert_eq!(
        document["response_types_supported"],
        serde_json::json!(["code"])
    );
    assert_eq!(
        document["authorization_response_iss_parameter_supported"], true,
        "AUTHZ-19"
    );
    assert!(oidc.header("cache-control").contains("max-age="));
    let endpoints = document
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| name.ends_with("_endpoint") || *name == "jwks_uri");
    let mut count = 0;
    for (name, address) in endpoints {
        let answer = browser.get(address.as_str().unwrap()).await;
        assert_ne!(answer.status, 404, "{name}");
        count += 1;
    }
    assert_eq!(count, 7);
}

/// JWT-19: public members alone, whatever is asked for, kept for a bounded time.
#[tokio::test]
async fn the_key_set_holds_public_halves_alone() {
    let world = World::new().await;
    let browser = world.lab.browser();
    for path in ["/jwks", "/jwks?format=private"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.header("cache-control"), "public, max-age=300");
        let json = answer.json();
        let keys = json["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 3);
        let public = ["alg", "crv", "e", "kid", "kty", "n", "use", "x", "y"];
        for key in keys {
            let members: Vec<&String> = key.as_object().unwrap().keys().collect();
            assert!(
                members.iter().all(|m| public.contains(&m.as_str())),
                "{members:?}"
            );
        }
        let algorithms: Vec<&Value> = keys.iter().map(|key| &key["alg"]).collect();
        for alg in ["ES256", "RS256", "EdDSA"] {
            assert!(algorithms.iter().any(|a| **a == alg), "{alg}");
        }
    }
}

/// RFC 9110 §13.1.2: who has a document already is not sent it again; it is the same bytes until
/// the keys change.
#[tokio::test]
async fn documents_are_sent_once_to_who_keeps_them() {
    let world = World::new().await;
    let browser = world.lab.browser();
    for path in ["/.well-known/openid-configuration", "/jwks"] {
        let first = browser.get(path).await;
        let etag = first.header("etag").to_owned();
        world.lab.app.reload_ring().await.unwrap();
        let again = browser.get(path).await;
        assert_eq!(
            (again.header("etag"), &again.body),
            (etag.as_str(), &first.body)
        );
        let request = browser.request(http::Method::GET, path);
        let asked = request.header("if-none-match", &etag);
        let answer = browser.send(path, asked).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (304, ""));
        assert_eq!(answer.header("etag"), etag);
        assert_eq!(
            answer.header("cache-control"),
            first.header("cache-control")
        );
    }
}
