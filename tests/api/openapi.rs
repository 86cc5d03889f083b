//! The description of `/api/v1`: the same everywhere, valid, and true of a running server.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use lanyard::visits::service;
use serde_json::Value;

use crate::lab::Lab;
use crate::lab::script::Interpreter;
use crate::lab::world::PASSWORD;

fn document() -> Value {
    serde_json::from_str(&lanyard::api::openapi::text()).unwrap()
}

/// Issue 3: what is served is what the documents hold.
#[tokio::test]
async fn the_description_served_is_the_one_among_the_documents() {
    let lab = Lab::new().await;
    let served = lab.browser().get(lanyard::api::openapi::PATH).await;
    assert_eq!(served.status, 200, "without a token");
    assert_eq!(served.header("content-type"), "application/json");
    assert_eq!(served.header("cache-control"), "public, max-age=3600");
    assert_eq!(served.header("access-control-allow-origin"), "*");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documented = fs::read_to_string(root.join("docs/openapi.json")).unwrap_or_default();
    if documented != served.body {
        let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("openapi.json");
        fs::write(&fresh, &served.body).unwrap();
        panic!("docs/openapi.json is old: copy {}", fresh.display());
    }
}

/// Every route of the list is described, alone and in a clinic, with what its guards ask for.
#[test]
fn every_route_is_described_with_its_scope_and_permission() {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), {
        let all = lanyard::api::routes().map(|route| route.path);
        2 * all.collect::<BTreeSet<_>>().len()
    });
    let mut ids = BTreeSet::new();
    for route in lanyard::api::routes() {
        for path in [
            route.path.to_owned(),
            format!("/clinics/{{clinic}}{}", route.path),
        ] {
            let method = route.method.as_str().to_ascii_lowercase();
            let operation = &paths[&path][&method];
            assert_eq!(operation["x-permission"], route.permission, "{path}");
            for security in operation["security"].as_array().unwrap() {
                let scopes = security.as_object().unwrap().values().next().unwrap();
                assert_eq!(scopes, &serde_json::json!([route.scope.name()]), "{path}");
            }
            assert!(
                ids.insert(operation["operationId"].to_string()),
                "{path}: an id is given once"
            );
        }
    }
}

/// Issue 3: `openapi-spec-validator` and `schemathesis` of `PyPI` find nothing. A fixed seed and a
/// fixed number of calls, with a token that opens every route.
#[tokio::test(flavor = "multi_thread")]
async fn other_people_s_tools_find_nothing_wrong_with_the_api() {
    let lab = Lab::in_real_time(|_| ()).await;
    let clinic = lab.clinic("Juniper Family Clinic").await;
    let ada = lab.person("Ada Quill").await;
    let roles = ["patient", "clinician", "clinic_admin"];
    lab.join(&ada, clinic.id, &roles).await;
    // No visits, and the key that every clinic is given.
    service::plant(&lab.app, clinic.id, &[]).await.unwrap();
    let root = env!("CARGO_MANIFEST_DIR");
    let given = [
        ("LOGIN", ada.login.as_str()),
        ("PASSWORD", PASSWORD),
        ("CLINIC", clinic.slug.as_str()),
        ("OPENAPI", &format!("{root}/docs/openapi.json")),
    ];
    lab.run(
        Interpreter::Python,
        "clients/openapi_checks.py",
        &[],
        &given,
    )
    .await;
}
