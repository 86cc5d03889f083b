//! What must still stand: RT-13, RT-14, design §5 rule 5.

use super::*;

/// What fell, as an administrator or the person herself would make it fall, what puts it back if
/// anything does, and the reason in the log.
fn falls(world: &World, signed_in: &SignedIn) -> Vec<(String, Option<String>, &'static str)> {
    let (tenant, account) = (world.clinic.id, world.person.account);
    let set = |table: &str, column: &str, id: String, down: &str, up: Option<&str>| {
        let update = |value: &str| format!("update {table} set {value} where {column} = '{id}'");
        (update(down), up.map(update))
    };
    let membership = (
        "identity.membership",
        "subject_id",
        world.subject.to_string(),
    );
    let status = ("status = 'suspended'", Some("status = 'active'"));
    let ended = format!(
        "ended_at = '{}', end_reason = 'signed_out'",
        world.lab.now()
    );
    [
        (
            set(membership.0, membership.1, membership.2, status.0, status.1),
            "membership_not_active",
        ),
        (
            set(
                "tenancy.tenant",
                "tenant_id",
                tenant.to_string(),
                status.0,
                status.1,
            ),
            "tenant_not_active",
        ),
        (
            set(
                "identity.account",
                "account_id",
                account.to_string(),
                "status = 'disabled'",
                Some("status = 'active'"),
            ),
            "account_not_active",
        ),
        (
            set(
                "identity.account",
                "account_id",
                account.to_string(),
                "password_epoch = password_epoch + 1",
                None,
            ),
            "password_changed",
        ),
        (
            set(
                "identity.session",
                "session_id",
                signed_in.session.to_string(),
                &ended,
                None,
            ),
            "session_ended",
        ),
    ]
    .map(|((down, up), reason)| (down, up, reason))
    .into()
}

/// RT-13, RT-14: refused for the current generation and for a retry alike, publicly with one word;
/// what comes back by itself finds its family as it was.
#[tokio::test]
async fn whatever_fell_between_answer_and_retry_is_refused() {
    let world = World::new().await;
    for party in [world.public().await, world.confidential().await] {
        for fall in 0..5 {
            let signed_in = world.sign_in(&party).await;
            let next = world.refresh(&party, &signed_in.refresh).await.tokens();
            let before = world.row(signed_in.family()).await;
            let (down, up, reason) = falls(&world, &signed_in).swap_remove(fall);
            world.tell(&down).await;
            for token in [&next.refresh, &signed_in.refresh] {
                world.refresh(&party, token).await.refused("invalid_grant");
                let seen = ("refresh.rejected".to_owned(), reason.to_owned());
                assert_eq!(world.last_event("reason").await, seen);
            }
            assert_eq!(world.row(signed_in.family()).await, before, "{reason}");
            if let Some(up) = up {
                world.tell(&up).await;
                let retry = world.refresh(&party, &signed_in.refresh).await.tokens();
                assert_eq!(retry.refresh, next.refresh);
            }
        }
    }
}

/// A replay is one whatever else is true: two hold the token.
#[tokio::test]
async fn an_ended_session_hides_no_replay() {
    let world = World::new().await;
    let party = world.public().await;
    let first = world.sign_in(&party).await;
    let second = world.refresh(&party, &first.refresh).await.tokens();
    world.refresh(&party, &second.refresh).await.tokens();
    let (down, _, _) = falls(&world, &first).swap_remove(4);
    world.tell(&down).await;
    world
        .refresh(&party, &first.refresh)
        .await
        .refused("invalid_grant");
    let seen = (
        "refresh.reuse_detected".into(),
        "older_generation_replayed".into(),
    );
    assert_eq!(world.last_event("cause").await, seen);
}

/// RT-13: a role or a scope taken away is felt at the next refresh, and not given back by it.
#[tokio::test]
async fn claims_are_made_anew_at_each_refresh() {
    let world = World::new().await;
    let party = world.public().await;
    let first = world.sign_in(&party).await;
    assert_eq!(first.claims["scope"], "openid visits:read");
    world
        .tell(&format!(
            "update identity.client set scopes = '{{}}' where client_id = '{}'",
            party.id
        ))
        .await;
    let second = world.refresh(&party, &first.refresh).await.tokens();
    assert_eq!(second.claims["scope"], "openid");
    world
        .tell(&format!(
            "update identity.client set scopes = '{{visits:read}}' where client_id = '{}';
             update identity.membership_role set role = 'executive' where subject_id = '{}'",
            party.id, world.subject
        ))
        .await;
    let third = world.refresh(&party, &second.refresh).await.tokens();
    assert_eq!(third.claims["roles"], serde_json::json!(["executive"]));
    assert_eq!(
        third.claims["scope"], "openid",
        "an executive reads no visits"
    );
}
