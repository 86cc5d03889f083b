//! The platform's overseers: of all clinics, by the API.

use lanyard::ids::TenantId;
use lanyard::impersonation::Rule;

use super::super::assert_refused;
use super::{Help, assert_problem};

#[tokio::test]
async fn who_oversees_lists_and_stops_the_grants_of_all_clinics() {
    let help = Help::new(Rule::Allowed).await;
    let olga = help.world.lab.person("Olga Pine").await;
    help.world
        .lab
        .join(&olga, TenantId::PLATFORM, &["super_admin"])
        .await;
    let (sam, olga) = (help.seat(&help.sam).await, help.seat(&olga).await);
    let id = help.started(&sam).await;
    let path = "/api/v1/impersonations/all";
    let all = help.world.call(path, &olga.token).await.json();
    let seen = &all["impersonations"][0];
    assert_eq!(
        (&seen["id"], &seen["state"]),
        (&id.clone().into(), &"active".into())
    );
    assert!(
        seen.get("reason").is_none(),
        "why is for her and her clinic: {seen}"
    );
    let unknown = format!("/{}/stop", crate::lab::some_id());
    assert_problem(&help.post(&olga, &unknown, None).await, 404, "not_found");
    assert_problem(&help.post(&olga, "/x/stop", None).await, 404, "not_found");
    let stopped = help.post(&olga, "/stop", None).await;
    assert_eq!(stopped.json()["stopped"], 1, "{}", stopped.body);
    let refused = help.exchange(&sam, &id, &[]).await;
    assert_refused(&refused, 400, "invalid_grant");
    let again = help.post(&olga, &format!("/{id}/stop"), None).await;
    assert_eq!(again.json()["stopped"], 0, "it stays as it ended");
    let ended = help.told("ended").await;
    assert_eq!(ended.len(), 1, "recorded before it was answered: {ended:?}");
    assert_eq!(ended[0].detail["cause"], "by_operator");
    assert_eq!(ended[0].actor_id, Some(help.sams));
    // He asks for nothing and starts nothing himself.
    assert_eq!(help.ask(&olga).await.status, 403);
    let own = help.world.call("/api/v1/impersonations", &olga.token).await;
    assert_eq!(own.status, 403);
}

#[tokio::test]
async fn neither_support_nor_a_clinic_oversees() {
    let help = Help::new(Rule::Allowed).await;
    let (sam, tina) = (help.seat(&help.sam).await, help.seat(&help.tina).await);
    let id = help.started(&sam).await;
    for seat in [&sam, &tina] {
        let path = "/api/v1/impersonations/all";
        assert_eq!(help.world.call(path, &seat.token).await.status, 403);
        for path in ["/stop".to_owned(), format!("/{id}/stop")] {
            assert_eq!(help.post(seat, &path, None).await.status, 403, "{path}");
        }
        for path in ["verifiers", "session-endings", "signing-keys"] {
            let path = format!("/api/v1/{path}");
            assert_eq!(
                help.world.call(&path, &seat.token).await.status,
                403,
                "{path}"
            );
        }
    }
    assert_eq!(help.stored(&id).await.0, "active");
}
