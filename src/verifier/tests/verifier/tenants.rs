//! Tenant resolution: JWT-16, TEN-01, TEN-02.

use axum::Router;
use axum::routing::get as get_route;
use http::header::{COOKIE, HOST};
use http::{Request, StatusCode};
use lanyard_verifier::{DirectoryUnavailable, Guard, TenantDirectory, TenantLookup, Verified};
use serde_json::json;

use crate::lab::{BOREALIS, JUNIPER, Lab, bearing, call, directory, get};

fn by_host(lab: &Lab) -> Router {
    let guard = Guard::tenant_in_host("Clinics.Example", directory);
    router(lab, guard)
}

fn by_path(lab: &Lab) -> Router {
    router(
        lab,
        Guard::tenant_in_path("/api/clinics/{clinic}/visits/{visit}", directory),
    )
}

fn router(lab: &Lab, guard: Guard) -> Router {
    let tenant = |caller: Verified| async move { caller.tenant().to_string() };
    Router::new()
        .fallback(get_route(tenant))
        .layer(lab.verifier.layer().guard(guard))
}

/// JWT-16: at the other clinic a good token is no better than garbage, to the byte.
#[tokio::test]
async fn another_clinics_token_is_answered_like_garbage() {
    let lab = Lab::new();
    let (host, path) = (by_host(&lab), by_path(&lab));
    let token = lab.token().mint();
    let at = |name: &str| Request::get("/").header(HOST, format!("{name}.clinics.example"));
    let here = call(&host, bearing(at("juniper"), &token)).await;
    assert_eq!(
        (here.status, here.body),
        (StatusCode::OK, JUNIPER.to_string())
    );
    let here = get(&path, "/api/clinics/juniper/visits", &token).await;
    assert_eq!(
        (here.status, here.body),
        (StatusCode::OK, JUNIPER.to_string())
    );
    for (there, garbage) in [
        (
            call(&host, bearing(at("borealis"), &token)).await,
            call(&host, bearing(at("borealis"), "garbage")).await,
        ),
        (
            get(&path, "/api/clinics/borealis/visits", &token).await,
            get(&path, "/api/clinics/borealis/visits", "garbage").await,
        ),
    ] {
        assert_eq!(there.refused(StatusCode::UNAUTHORIZED), "invalid_token");
        assert_eq!(there.body, garbage.body);
        assert_eq!(there.headers, garbage.headers);
    }
}

/// JWT-16: a token without a clinic, as a platform administrator might wish for, is none.
#[tokio::test]
async fn a_token_without_a_clinic_is_good_nowhere() {
    let lab = Lab::new();
    for token in [
        lab.token().without("tid"),
        lab.token().claim("tid", json!(null)),
    ] {
        let answer = get(&by_path(&lab), "/api/clinics/juniper", &token.mint()).await;
        assert_eq!(answer.refused(StatusCode::UNAUTHORIZED), "invalid_token");
    }
}

/// TEN-01, RFC 9110 §7.2: one host, compared in lower case and in no other way.
#[tokio::test]
async fn only_the_one_plain_host_names_a_clinic() {
    let lab = Lab::new();
    let router = by_host(&lab);
    let token = lab.token().mint();
    let misdirected = StatusCode::MISDIRECTED_REQUEST;
    for (host, status) in [
        ("juniper.clinics.example", StatusCode::OK),
        ("JUNIPER.Clinics.EXAMPLE", StatusCode::OK),
        ("juniper.clinics.example:443", StatusCode::OK),
        ("juniper.clinics.example.", misdirected),
        ("juniper.clinics.example:443:443", misdirected),
        ("juniper.clinics.example:https", misdirected),
        ("juniper.clinics.example.forger.example", misdirected),
        ("juniper.clinics.example@forger.example", misdirected),
        ("juniperclinics.example", misdirected),
        ("x.juniper.clinics.example", misdirected),
        ("juniper..clinics.example", misdirected),
        (".clinics.example", misdirected),
        ("clinics.example", misdirected),
        ("unknown.clinics.example", misdirected),
        ("xn--juniper-9ya.clinics.example", misdirected),
        ("juniper%2eclinics.example", misdirected),
        ("juniper", misdirected),
        ("", misdirected),
        ("borealis.clinics.example", StatusCode::UNAUTHORIZED),
    ] {
        let request = bearing(Request::get("/").header(HOST, host), &token);
        assert_eq!(call(&router, request).await.status, status, "{host:?}");
    }
}

/// TEN-01: an encoded name is no clinic's, whatever a directory would say of it.
#[tokio::test]
async fn a_punycode_name_is_not_even_looked_up() {
    let lab = Lab::new();
    let any_name = |_: &str| Some(JUNIPER);
    let host = router(&lab, Guard::tenant_in_host("clinics.example", any_name));
    let token = lab.token().mint();
    for (name, status) in [
        ("juniper", StatusCode::OK),
        ("xn--juniper-9ya", StatusCode::MISDIRECTED_REQUEST),
        ("juni_per", StatusCode::MISDIRECTED_REQUEST),
        (&"j".repeat(64), StatusCode::MISDIRECTED_REQUEST),
    ] {
        let request = Request::get("/").header(HOST, format!("{name}.clinics.example"));
        assert_eq!(
            call(&host, bearing(request, &token)).await.status,
            status,
            "{name}"
        );
    }
}

/// TEN-01: two hosts are none, wherever they stand.
#[tokio::test]
async fn a_request_with_two_hosts_is_refused() {
    let lab = Lab::new();
    let router = by_host(&lab);
    let token = lab.token().mint();
    let (juniper, borealis) = ("juniper.clinics.example", "borealis.clinics.example");
    let absolute = |host: &str| Request::get(format!("https://{host}/"));
    for (name, request, status) in [
        ("none", Request::get("/"), StatusCode::BAD_REQUEST),
        (
            "two headers",
            Request::get("/")
                .header(HOST, juniper)
                .header(HOST, juniper),
            StatusCode::BAD_REQUEST,
        ),
        (
            "target and header differ",
            absolute(juniper).header(HOST, borealis),
            StatusCode::BAD_REQUEST,
        ),
        ("target alone", absolute(juniper), StatusCode::OK),
        (
            "target and header agree",
            absolute(juniper).header(HOST, juniper),
            StatusCode::OK,
        ),
        (
            "a forwarded host",
            Request::get("/")
                .header(HOST, borealis)
                .header("X-Forwarded-Host", juniper),
            StatusCode::UNAUTHORIZED,
        ),
        (
            "a forwarded host, RFC 7239",
            Request::get("/")
                .header(HOST, borealis)
                .header("Forwarded", "host=juniper"),
            StatusCode::UNAUTHORIZED,
        ),
    ] {
        assert_eq!(
            call(&router, bearing(request, &token)).await.status,
            status,
            "{name}"
        );
    }
}

/// TEN-02: nothing that a caller can add says which clinic.
#[tokio::test]
async fn no_header_query_or_cookie_changes_the_clinic() {
    let lab = Lab::new();
    let token = lab.token().mint();
    let plain: Router = router(&lab, Guard::default());
    for router in [plain, by_path(&lab)] {
        let uri = format!("/api/clinics/juniper?tenant={BOREALIS}&tid={BOREALIS}");
        let request = bearing(Request::get(uri), &token)
            .header("X-Tenant", BOREALIS.to_string())
            .header("X-Tenant-Id", BOREALIS.to_string())
            .header("X-Scope-OrgID", "borealis")
            .header(COOKIE, "tenant=borealis");
        let answer = call(&router, request).await;
        assert_eq!(
            (answer.status, answer.body),
            (StatusCode::OK, JUNIPER.to_string())
        );
    }
}

/// RFC 3986 §6.2.2: a path has many spellings; only the plain one names a clinic.
#[tokio::test]
async fn only_the_plain_path_names_a_clinic() {
    let lab = Lab::new();
    let router = by_path(&lab);
    let token = lab.token().mint();
    let by_id = format!("/api/clinics/{JUNIPER}/visits");
    for (path, status) in [
        (by_id.as_str(), StatusCode::OK),
        ("/api/clinics/juniper", StatusCode::OK),
        ("/api/clinics/JUNIPER", StatusCode::NOT_FOUND),
        ("/api/clinics/%6auniper", StatusCode::NOT_FOUND),
        ("/api/clinics//juniper", StatusCode::NOT_FOUND),
        ("/api/clinics/./juniper", StatusCode::NOT_FOUND),
        ("/api//clinics/juniper", StatusCode::NOT_FOUND),
        ("/api/clinics/", StatusCode::NOT_FOUND),
        ("/api/clinics", StatusCode::NOT_FOUND),
        ("/api/clinics/unknown", StatusCode::NOT_FOUND),
        ("/other/clinics/juniper", StatusCode::NOT_FOUND),
        ("/", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(get(&router, path, &token).await.status, status, "{path}");
    }
    let foreign = format!("/api/clinics/{BOREALIS}/visits");
    assert_eq!(
        get(&router, &foreign, &token).await.status,
        StatusCode::UNAUTHORIZED
    );
}

/// Host and path may both be asked; then both must be the token's.
#[tokio::test]
async fn host_and_path_must_agree_with_the_token() {
    let lab = Lab::new();
    let both = Guard::tenant_in_host("clinics.example", directory)
        .and(Guard::tenant_in_path("/{tenant}", directory));
    let router = router(&lab, both);
    let token = lab.token().mint();
    let request = |path: &str| {
        let host = "juniper.clinics.example";
        bearing(Request::get(path.to_owned()).header(HOST, host), &token)
    };
    assert_eq!(
        call(&router, request("/juniper")).await.status,
        StatusCode::OK
    );
    assert_eq!(
        call(&router, request("/borealis")).await.status,
        StatusCode::UNAUTHORIZED
    );
}

struct Unavailable;

impl TenantDirectory for Unavailable {
    fn tenant<'a>(&'a self, _: &'a str) -> TenantLookup<'a> {
        Box::pin(async { Err(DirectoryUnavailable) })
    }
}

#[tokio::test]
async fn a_directory_that_can_not_be_asked_lets_nobody_in() {
    let lab = Lab::new();
    let router = router(&lab, Guard::tenant_in_path("/{tenant}", Unavailable));
    let answer = get(&router, "/juniper", &lab.token().mint()).await;
    assert_eq!(
        answer.refused(StatusCode::SERVICE_UNAVAILABLE),
        "temporarily_unavailable"
    );
}

#[test]
#[should_panic(expected = "a template has a segment in braces")]
fn a_template_without_a_place_for_the_clinic_is_a_mistake() {
    let _ = Guard::tenant_in_path("/api/clinics", directory);
}
