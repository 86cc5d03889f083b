//! The verifier's parsers, through its public face.

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lanyard_verifier::test_issuer::{TestIssuer, TestKey};
use lanyard_verifier::{
    Clock, FeedError, Following, Jwk, JwkSet, KeyFetch, KeySource, Principal, Reporting,
    RevocationSource, RevocationStream, Snapshot, SnapshotFetch, Standing as Report, StreamMessage,
    StreamRead, Verifier, VerifyError, read_introspection,
};
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

/// A token of that type with that payload, by the issuer's key.
fn signed(kind: &str, payload: &[u8]) -> String {
    let (alg, key_id) = (WORLD.key.alg(), WORLD.key.kid());
    let header = format!(r#"{{"typ":"{kind}","alg":"{alg}","kid":"{key_id}"}}"#);
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let input = format!("{}.{}", encode(header.as_bytes()), encode(payload));
    let signature = encode(&WORLD.key.sign(input.as_bytes()));
    format!("{input}.{signature}")
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
    let Some(principal) = verify(&WORLD.verifier, &signed("at+jwt", data)) else {
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

/// An issuer that has told one set, and that there is nothing else.
struct Told(String);

/// What comes after it: that all is well, and then nothing.
struct AllIsWell(bool);

impl RevocationSource for Told {
    fn snapshot(&self) -> SnapshotFetch<'_> {
        Box::pin(async {
            let (position, sets) = (1, vec![self.0.clone()]);
            Ok(Snapshot { position, sets })
        })
    }

    fn follow(&self, _: u64) -> Following<'_> {
        Box::pin(async { Ok(Box::new(AllIsWell(false)) as Box<dyn RevocationStream>) })
    }

    fn report<'a>(&'a self, _: &'a Report) -> Reporting<'a> {
        Box::pin(async { Ok(()) })
    }
}

impl RevocationStream for AllIsWell {
    fn next(&mut self) -> StreamRead<'_> {
        Box::pin(async {
            if std::mem::replace(&mut self.0, true) {
                return std::future::pending::<Result<_, FeedError>>().await;
            }
            Ok(StreamMessage::Heartbeat {
                position: 1,
                previous: Some(1),
                issuer_time: NOW,
            })
        })
    }
}

/// A token that no set of the seeds means by the names of its person, session, client and role.
const BYSTANDER: &str = r#"{"iss":"https://id.example","aud":"https://api.example",
    "sub":"5b1e0000-0000-4000-8000-0000000000ff","tid":"7e5a0000-0000-4000-8000-0000000000ff",
    "sid":"bystander","client_id":"web-bystander","roles":["bystander"],"scope":"visits:read",
    "iat":1772460000,"exp":1772460300,"jti":"t","auth_time":1772459940,"amr":["pwd"],
    "acr":"urn:lanyard:acr:password"}"#;

/// Security event tokens that the issuer signed: each is taken, or the verifier knows nothing; and
/// one that refuses a token names that token's clinic, a role of its or its key.
pub(super) fn sets(data: &[u8]) {
    let token = signed("at+jwt", BYSTANDER.as_bytes());
    let source = Told(signed("secevent+jwt", data));
    let (status, verdict) = WORLD.runtime.block_on(async {
        let verifier = Verifier::builder(ISSUER, AUDIENCE)
            .keys(Published(vec![WORLD.key.jwk()]))
            .clock(Standing)
            .revocations(source)
            .build()
            .expect("issuer, audience and keys are named");
        // Its task runs from now on.
        let _ = tokio::time::timeout(Duration::ZERO, verifier.revocations_known()).await;
        let status = loop {
            let status = verifier.feed_status().expect("it follows");
            if status.lag.is_some() || status.unusable > 0 {
                break status;
            }
            tokio::task::yield_now().await;
        };
        let verdict = match status.unusable {
            // It would be waited for what it does not know.
            0 => verifier.verify(&token).await.map(drop),
            _ => Ok(()),
        };
        (status, verdict)
    });
    let is_unusable = status.unusable > 0;
    assert_eq!(status.accepted, u64::from(!is_unusable));
    assert!(!is_unusable || (status.held, status.is_current) == (0, false));
    if status.held == 0 {
        assert_eq!(verdict, Ok(()));
        return;
    }
    let read: Value = serde_json::from_slice(data).expect("what is believed is JSON");
    assert_eq!(read["iss"], ISSUER);
    let is_for_us = |aud: &Value| *aud == AUDIENCE;
    assert!(
        is_for_us(&read["aud"])
            || read["aud"]
                .as_array()
                .is_some_and(|all| all.iter().any(is_for_us))
    );
    assert!(read.get("exp").is_none() && read["jti"].is_string());
    let events = read["events"].as_object().expect("events by their types");
    assert_eq!(events.len(), 1);
    if verdict.is_err() {
        assert_eq!(verdict, Err(VerifyError::Revoked));
        let told = read.to_string();
        let named = [
            "7e5a0000-0000-4000-8000-0000000000ff",
            "bystander",
            WORLD.key.kid(),
        ];
        let plain = told.to_ascii_lowercase().replace('-', "");
        let is_named = |name: &&str| plain.contains(&name.replace('-', ""));
        assert!(named.iter().any(is_named), "{told}");
    }
}

/// Answers to introspection: active is what says so itself, once, as a boolean.
pub(super) fn introspection(data: &[u8]) {
    let Ok(is_active) = read_introspection(data) else {
        return;
    };
    let read: Value = serde_json::from_slice(data).expect("what is believed is JSON");
    assert_eq!(read["active"].as_bool(), Some(is_active));
}
