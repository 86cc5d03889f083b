//! The verifier's parsers, through its public face.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lanyard_verifier::test_issuer::{TestIssuer, TestKey};
use lanyard_verifier::{Clock, Jwk, JwkSet, KeyFetch, KeySource, Principal, Verifier};
use serde_json::Value;
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::runtime::Runtime;

const ISSUER: &str = "https://id.example";
const AUDIENCE: &str = "https://api.example";
/// Whatever a token says, none that was minted lives longer, in seconds, with the leeway on both
/// ends.
const LONGEST_LIFE: i64 = 600;
/// When the seeds' tokens are good: a Monday, 14:00 UTC.
const NOW: OffsetDateTime = datetime!(2026-03-02 14:00 UTC);

/// A verifier with the one key of an issuer, and a runtime to ask it on.
struct World {
    verifier: Verifier,
    runtime: Runtime,
    key: TestKey,
    genuine: Vec<String>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let key = TestKey::ed_dsa("test-1");
    let published = Published(vec![key.jwk()]);
    let issuer = TestIssuer::new(ISSUER).clock(Standing);
    World {
        verifier: verifier(published),
        runtime: tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime"),
        key,
        // Of another issuer's key under the same name: good in form, and none of ours.
        genuine: vec![issuer.token(AUDIENCE).mint()],
    }
});

/// A key set that a fuzzer may write.
#[derive(Clone)]
struct Published(Vec<Jwk>);

impl KeySource for Published {
    fn fetch(&self) -> KeyFetch<'_> {
        let keys = self.0.clone();
        Box::pin(async move {
            Ok(JwkSet {
                keys,
                max_age: None,
            })
        })
    }
}

/// Time stands still, so that the same bytes are judged alike whenever they come.
struct Standing;

impl Clock for Standing {
    fn now(&self) -> OffsetDateTime {
        NOW
    }
}

fn verifier(keys: Published) -> Verifier {
    Verifier::builder(ISSUER, AUDIENCE)
        .keys(keys)
        .clock(Standing)
        .build()
        .expect("issuer, audience and keys are named")
}

fn verify(verifier: &Verifier, token: &str) -> Option<std::sync::Arc<Principal>> {
    WORLD.runtime.block_on(verifier.verify(token)).ok()
}

/// Tokens from someone without a key: as they come, and cut into header, payload and signature at
/// the first two zero bytes. None is ever good.
pub(super) fn jwt(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(verify(&WORLD.verifier, text).is_none());
    }
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let mut part = || URL_SAFE_NO_PAD.encode(parts.next().unwrap_or_default());
    let token = format!("{}.{}.{}", part(), part(), part());
    assert!(verify(&WORLD.verifier, &token).is_none());
}

/// A payload that the issuer signed: what is believed of it stands in it once, with its type.
pub(super) fn claims(data: &[u8]) {
    let header = format!(
        r#"{{"typ":"at+jwt","alg":"{}","kid":"{}"}}"#,
        WORLD.key.alg(),
        WORLD.key.kid()
    );
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let input = format!("{}.{}", encode(header.as_bytes()), encode(data));
    let signature = encode(&WORLD.key.sign(input.as_bytes()));
    let Some(principal) = verify(&WORLD.verifier, &format!("{input}.{signature}")) else {
        return;
    };
    let read: Value = serde_json::from_slice(data).expect("what is believed is JSON");
    assert_eq!(read["iss"], ISSUER);
    assert_eq!(read["aud"], AUDIENCE);
    assert!(read.get("cnf").is_none());
    let of = |name: &str| read[name].as_i64().expect("whole seconds");
    assert!(of("exp") - of("iat") <= LONGEST_LIFE && of("iat") < of("exp"));
    assert_eq!(principal.jti(), read["jti"]);
    assert_eq!(principal.client_id(), read["client_id"]);
    let tenant: uuid::Uuid = read["tid"]
        .as_str()
        .and_then(|tid| tid.parse().ok())
        .expect("a tenant's id");
    assert_eq!(principal.tenant().as_uuid(), tenant);
    let scope = read["scope"].as_str().expect("a list of scopes");
    for word in principal.scopes() {
        assert!(scope.split(' ').any(|asked| asked == word));
    }
    assert_eq!(principal.sid().is_some(), read.get("sid").is_some());
    assert_eq!(principal.actor().is_some(), read.get("act").is_some());
}

/// Key sets, and a verifier that has one: a stranger's token stays a stranger's.
pub(super) fn jwks(data: &[u8]) {
    let Ok(set) = JwkSet::from_json(data) else {
        return;
    };
    let verifier = verifier(Published(set.keys));
    for token in &WORLD.genuine {
        assert!(verify(&verifier, token).is_none());
    }
}
