//! When somebody acts as somebody else: what an actor may ask, and that all of it is recorded
//! (design §7).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::MatchedPath;
use axum::routing::{any, get as get_route, post};
use http::{Method, Request, StatusCode};
use lanyard_verifier::{
    ActedRequest, Basis, Decision, DelegationId, GrantId, Guard, Permissions, Preset, RecordError,
    Recorder, Recording, SubjectId,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::lab::{JUNIPER, Lab, NOW, bearing, call, get};

const ACTOR: SubjectId = SubjectId::from_uuid(Uuid::from_u128(7));
const PATIENT: SubjectId = SubjectId::from_uuid(Uuid::from_u128(8));
const GRANT: GrantId = GrantId::from_uuid(Uuid::from_u128(9));
const DELEGATION: DelegationId = DelegationId::from_uuid(Uuid::from_u128(10));

/// Keeps what it is told, unless it is out of order.
#[derive(Clone, Default)]
struct Ledger {
    kept: Arc<Mutex<Vec<ActedRequest>>>,
    is_broken: Arc<AtomicBool>,
}

impl Ledger {
    /// What was recorded since last asked: method, path and decision.
    fn take(&self) -> Vec<(String, String, Decision)> {
        let kept = std::mem::take(&mut *self.kept.lock().expect("not poisoned"));
        kept.into_iter()
            .map(|request| (request.method, request.route, request.decision))
            .collect()
    }

    fn decisions(&self) -> Vec<Decision> {
        self.take().into_iter().map(|(_, _, what)| what).collect()
    }
}

impl Recorder for Ledger {
    fn record<'a>(&'a self, request: &'a ActedRequest) -> Recording<'a> {
        Box::pin(async move {
            if self.is_broken.load(Ordering::SeqCst) {
                return Err(RecordError::Lost("the disk is full".to_owned()));
            }
            self.kept
                .lock()
                .expect("not poisoned")
                .push(request.clone());
            Ok(())
        })
    }
}

fn lab() -> (Lab, Ledger) {
    let ledger = Ledger::default();
    let permissions = Permissions::new().role("owner", ["visits.visit.write", "visits.note.sign"]);
    let recorder = ledger.clone();
    let lab = Lab::with(|builder| builder.permissions(permissions).recorder(recorder));
    (lab, ledger)
}

fn acting(lab: &Lab, preset: Preset) -> String {
    let token = lab.token().subject(PATIENT).roles(["owner"]);
    token.acted(ACTOR, GRANT, preset).mint()
}

fn proxied(lab: &Lab) -> String {
    let token = lab.token().subject(PATIENT).roles(["owner"]);
    token.proxied(ACTOR, DELEGATION, Basis::Guardian).mint()
}

fn router(lab: &Lab, guard: Guard) -> Router {
    Router::new()
        .route("/", any(|| async { "in" }))
        .layer(lab.verifier.layer().guard(guard))
}

const FORBIDDEN: Decision = Decision::Refused {
    status: 403,
    code: "impersonation_forbidden",
};
const WITHOUT_SCOPE: Decision = Decision::Refused {
    status: 403,
    code: "insufficient_scope",
};

/// Design §7: reading is the default, all else the exception, which a route states by name; and a
/// grant for reading stays one. Whatever came is on the record with what was decided.
#[tokio::test]
async fn what_an_actor_may_ask_is_the_routes_and_the_presets_to_say() {
    let (lab, ledger) = lab();
    for preset in [Preset::ReadOnly, Preset::Assist, Preset::Technical] {
        for allows in [false, true] {
            let guard = if allows {
                Guard::allow_impersonation()
            } else {
                Guard::default()
            };
            let router = router(&lab, guard);
            for method in [
                "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PURGE",
            ] {
                let method = Method::from_bytes(method.as_bytes()).expect("a method");
                let may = method.is_safe() || (allows && preset != Preset::ReadOnly);
                ask((&lab, &ledger), &router, method, (preset, may)).await;
            }
        }
    }
}

async fn ask(
    (lab, ledger): (&Lab, &Ledger),
    router: &Router,
    method: Method,
    (preset, may): (Preset, bool),
) {
    let request = || Request::builder().method(method.clone()).uri("/");
    let answer = call(router, bearing(request(), &acting(lab, preset))).await;
    if may {
        assert_eq!(answer.status, StatusCode::OK, "{method} {preset:?}");
        assert_eq!(ledger.decisions(), [Decision::Admitted]);
    } else {
        let code = answer.refused(StatusCode::FORBIDDEN);
        assert_eq!(code, "impersonation_forbidden", "{method} {preset:?}");
        assert!(answer.challenge().contains(r#"error="insufficient_scope""#));
        assert_eq!(ledger.decisions(), [FORBIDDEN]);
    }
    let answer = call(router, bearing(request(), &lab.token().mint())).await;
    assert_eq!(answer.status, StatusCode::OK, "{method} as herself");
    assert_eq!(ledger.decisions(), [], "nobody acts for anybody");
}

/// A route names whom it allows more than looking: support and proxies are not each other.
#[tokio::test]
async fn a_route_allows_support_and_proxies_each_by_name() {
    let (lab, ledger) = lab();
    let support = acting(&lab, Preset::Assist);
    let proxy = proxied(&lab);
    let both = Guard::allow_impersonation().and(Guard::allow_proxies());
    for (guard, support_may, proxy_may) in [
        (Guard::default(), false, false),
        (Guard::allow_impersonation(), true, false),
        (Guard::allow_proxies(), false, true),
        (both, true, true),
    ] {
        let router = router(&lab, guard.clone());
        for (token, may) in [(&support, support_may), (&proxy, proxy_may)] {
            assert_eq!(get(&router, "/", token).await.status, StatusCode::OK);
            let answer = call(&router, bearing(Request::post("/"), token)).await;
            let decided = if may {
                assert_eq!(answer.status, StatusCode::OK, "{guard:?}");
                Decision::Admitted
            } else {
                let code = answer.refused(StatusCode::FORBIDDEN);
                assert_eq!(code, "impersonation_forbidden", "{guard:?}");
                FORBIDDEN
            };
            assert_eq!(ledger.decisions(), [Decision::Admitted, decided]);
        }
    }
}

/// What is hers alone is not looked at by another either, whatever else the route allows.
#[tokio::test]
async fn in_person_refuses_every_actor_and_nobody_else() {
    let (lab, ledger) = lab();
    let all = Guard::allow_impersonation().and(Guard::allow_proxies());
    let router = router(&lab, all.and(Guard::in_person()));
    for token in [acting(&lab, Preset::Assist), proxied(&lab)] {
        for method in [Method::GET, Method::POST] {
            let request = Request::builder().method(method).uri("/");
            let answer = call(&router, bearing(request, &token)).await;
            let code = answer.refused(StatusCode::FORBIDDEN);
            assert_eq!(code, "impersonation_forbidden");
            assert_eq!(ledger.decisions(), [FORBIDDEN]);
        }
    }
    let herself = lab.token().mint();
    assert_eq!(get(&router, "/", &herself).await.status, StatusCode::OK);
}

/// What no delegation lends refuses a proxy, and support as its grant has it.
#[tokio::test]
async fn a_route_can_be_without_proxies() {
    let (lab, ledger) = lab();
    let router = router(&lab, Guard::without_proxies().and(Guard::allow_proxies()));
    let answer = get(&router, "/", &proxied(&lab)).await;
    let code = answer.refused(StatusCode::FORBIDDEN);
    assert_eq!(code, "impersonation_forbidden");
    let support = acting(&lab, Preset::ReadOnly);
    assert_eq!(get(&router, "/", &support).await.status, StatusCode::OK);
    assert_eq!(ledger.decisions(), [FORBIDDEN, Decision::Admitted]);
}

/// IMP-10: what one preset lends and another does not refuses support under the other, whatever
/// scope its token has; of two guards both hold, and a proxy is none of support's.
#[tokio::test]
async fn a_route_is_lent_under_some_presets() {
    let (lab, ledger) = lab();
    let under = |presets: &[Preset]| Guard::support_under(presets.to_vec());
    for (guard, preset, expected) in [
        (
            under(&[Preset::ReadOnly, Preset::Assist]),
            Preset::Assist,
            200,
        ),
        (
            under(&[Preset::ReadOnly, Preset::Assist]),
            Preset::Technical,
            403,
        ),
        (under(&[]), Preset::ReadOnly, 403),
        (
            under(&[Preset::ReadOnly]).and(under(&[Preset::Assist])),
            Preset::ReadOnly,
            403,
        ),
    ] {
        let router = router(&lab, guard);
        let answer = get(&router, "/", &acting(&lab, preset)).await;
        assert_eq!(answer.status.as_u16(), expected, "{preset:?}");
        let decided = [Decision::Admitted, FORBIDDEN][usize::from(expected == 403)];
        assert_eq!(ledger.decisions(), [decided]);
        for other in [proxied(&lab), lab.token().mint()] {
            assert_eq!(get(&router, "/", &other).await.status, StatusCode::OK);
        }
        ledger.decisions();
    }
}

/// The record names a proxy as it names support.
#[tokio::test]
async fn the_record_says_under_which_delegation() {
    let (lab, ledger) = lab();
    get(&router(&lab, Guard::default()), "/", &proxied(&lab)).await;
    let kept = ledger.kept.lock().expect("not poisoned");
    let [request] = &kept[..] else {
        panic!("{kept:?}");
    };
    let proxy = request.actor.proxy().expect("a proxy");
    assert_eq!(
        (proxy.sub, proxy.delegation, proxy.basis),
        (ACTOR, DELEGATION, Basis::Guardian)
    );
    assert_eq!((request.sub, request.actor.support()), (PATIENT, None));
}

/// The exception is the verifying layer's own: a guard further in can't lift what was refused.
#[tokio::test]
async fn a_guard_further_in_allows_nothing() {
    let (lab, ledger) = lab();
    let token = acting(&lab, Preset::Assist);
    let further_in: Router = Router::new()
        .route("/", post(|| async { "in" }))
        .route_layer(Guard::allow_impersonation())
        .layer(lab.verifier.layer());
    let answer = call(&further_in, bearing(Request::post("/"), &token)).await;
    assert_eq!(
        answer.refused(StatusCode::FORBIDDEN),
        "impersonation_forbidden"
    );
    assert_eq!(ledger.decisions(), [FORBIDDEN]);
}

/// A method named by override is still the method of the request.
#[tokio::test]
async fn a_method_override_header_changes_nothing() {
    let (lab, _) = lab();
    let token = acting(&lab, Preset::Assist);
    let router: Router = Router::new()
        .route("/", post(|| async { "in" }))
        .layer(lab.verifier.layer());
    let request = bearing(Request::post("/"), &token).header("X-HTTP-Method-Override", "GET");
    assert_eq!(call(&router, request).await.status, StatusCode::FORBIDDEN);
}

/// IMP-05, IMP-06, IMP-10: a right that is never lent is not lent by a route either, and reading
/// does not help. Both where the layer's own guard asks for it and where one further in does.
#[tokio::test]
async fn what_is_never_lent_refuses_every_actor() {
    let (lab, ledger) = lab();
    let herself = lab.token().roles(["owner"]).mint();
    let all = Guard::allow_impersonation().and(Guard::allow_proxies());
    let signs = Guard::permission("visits.note.sign").and(all.clone());
    let inside = router(&lab, signs.clone());
    let further_in: Router = Router::new()
        .route("/", any(|| async { "in" }))
        .route_layer(signs)
        .layer(lab.verifier.layer().guard(all));
    for (router, recorded) in [
        (inside, vec![FORBIDDEN]),
        (further_in, vec![Decision::Admitted, FORBIDDEN]),
    ] {
        for method in [Method::GET, Method::POST] {
            let request = || Request::builder().method(method.clone()).uri("/");
            for token in [acting(&lab, Preset::Assist), proxied(&lab)] {
                let answer = call(&router, bearing(request(), &token)).await;
                let code = answer.refused(StatusCode::FORBIDDEN);
                assert_eq!(code, "impersonation_forbidden");
                assert_eq!(ledger.decisions(), recorded);
            }
            let answer = call(&router, bearing(request(), &herself)).await;
            assert_eq!(answer.status, StatusCode::OK);
        }
    }
    let lent = router(&lab, Guard::permission("visits.visit.write"));
    for token in [acting(&lab, Preset::Assist), proxied(&lab)] {
        assert_eq!(get(&lent, "/", &token).await.status, StatusCode::OK);
    }
}

/// Both identities, the grant, the token and where it went; never the query.
#[tokio::test]
async fn the_record_says_who_as_whom_by_what_and_where() {
    let (lab, ledger) = lab();
    let token = acting(&lab, Preset::Technical);
    let router = router(&lab, Guard::scope("visits:read"));
    get(&router, "/?name=Ada+Quill", &token).await;
    let kept = ledger.kept.lock().expect("not poisoned");
    let [request] = &kept[..] else {
        panic!("{kept:?}");
    };
    assert_eq!((request.tid, request.sub), (JUNIPER, PATIENT));
    let support = request.actor.support().expect("support");
    assert_eq!(
        (support.sub, support.grant, support.preset),
        (ACTOR, GRANT, Preset::Technical)
    );
    let token = (&*request.jti, &*request.sid, &*request.client_id);
    assert_eq!(token, ("test-token", "test-session", "test-client"));
    let instants = [request.iat, request.exp, request.at].map(OffsetDateTime::unix_timestamp);
    assert_eq!(instants, [NOW, NOW + 300, NOW]);
    assert_eq!((&*request.method, &*request.route), ("GET", "/"));
    assert_eq!(request.decision, WITHOUT_SCOPE);
}

/// The template where the API tells it; a path that is no route's is cut to a bound.
#[tokio::test]
async fn a_route_is_recorded_by_its_template() {
    let ledger = Ledger::default();
    let recorder = ledger.clone();
    let lab = Lab::with(|builder| {
        builder.recorder(recorder).route_template(|parts| {
            let path = parts.extensions.get::<MatchedPath>()?;
            Some(path.as_str().to_owned())
        })
    });
    let token = acting(&lab, Preset::ReadOnly);
    let router: Router = Router::new()
        .route("/visits/{visit}", get_route(|| async { "in" }))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(lab.verifier.layer());
    get(&router, "/visits/4711?x=y", &token).await;
    get(&router, &format!("/{}", "x".repeat(2000)), &token).await;
    let paths: Vec<String> = ledger.take().into_iter().map(|(_, path, _)| path).collect();
    assert_eq!(paths[0], "/visits/{visit}");
    assert_eq!(paths[1].len(), 200);
}

/// IMP-13, and fail closed: without a trace nothing happens, and no handler runs.
#[tokio::test]
async fn what_cannot_be_recorded_is_not_answered() {
    let (broken, ledger) = lab();
    ledger.is_broken.store(true, Ordering::SeqCst);
    let permissions = Permissions::new();
    let without = Lab::with(|builder| builder.permissions(permissions));
    let runs = Arc::new(AtomicUsize::new(0));
    for lab in [broken, without] {
        let counted = Arc::clone(&runs);
        let handler = move || async move { counted.fetch_add(1, Ordering::SeqCst).to_string() };
        let router: Router = Router::new()
            .route("/", any(handler))
            .layer(lab.verifier.layer().guard(Guard::allow_impersonation()));
        let token = acting(&lab, Preset::Assist);
        for request in [Request::get("/"), Request::post("/")] {
            let answer = call(&router, bearing(request, &token)).await;
            let code = answer.refused(StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(code, "temporarily_unavailable");
        }
        assert_eq!(runs.swap(0, Ordering::SeqCst), 0);
        let herself = lab.token().mint();
        assert_eq!(get(&router, "/", &herself).await.status, StatusCode::OK);
        assert_eq!(runs.swap(0, Ordering::SeqCst), 1);
    }
}

/// A guard further in that refuses says so on the record, or nothing at all.
#[tokio::test]
async fn a_refusal_further_in_is_recorded_too() {
    let (lab, ledger) = lab();
    let token = acting(&lab, Preset::ReadOnly);
    let broken = Arc::clone(&ledger.is_broken);
    let router: Router = Router::new()
        .route("/", any(|| async { "in" }))
        .route_layer(Guard::scope("visits:read"))
        .layer(axum::middleware::from_fn(
            move |request: axum::extract::Request, next: axum::middleware::Next| {
                let breaks = request.uri().query() == Some("break");
                broken.store(breaks, Ordering::SeqCst);
                next.run(request)
            },
        ))
        .layer(lab.verifier.layer());
    let answer = get(&router, "/", &token).await;
    assert_eq!(answer.refused(StatusCode::FORBIDDEN), "insufficient_scope");
    assert_eq!(ledger.decisions(), [Decision::Admitted, WITHOUT_SCOPE]);
    let answer = get(&router, "/?break", &token).await;
    answer.refused(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ledger.decisions(), [Decision::Admitted]);
}
