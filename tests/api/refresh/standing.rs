//! What must still stand: RT-13, RT-14, design §5 rule 5.

use super::*;

/// Something that can fall: an update, one that puts it back if anything does, and the reason in
/// the log.
pub(super) struct Fall {
    pub(super) table: &'static str,
    key: &'static str,
    pub(super) down: &'static str,
    pub(super) up: Option<&'static str>,
    pub(super) reason: &'static str,
}

pub(super) const FALLS: [Fall; 5] = [
    Fall {
        table: "identity.membership",
        key: "subject_id",
        down: "status = 'suspended'",
        up: Some("status = 'active'"),
        reason: "membership_not_active",
    },
    Fall {
        table: "tenancy.tenant",
        key: "tenant_id",
        down: "status = 'suspended'",
        up: Some("status = 'active'"),
        reason: "tenant_not_active",
    },
    Fall {
        table: "identity.account",
        key: "account_id",
        down: "status = 'disabled'",
        up: Some("status = 'active'"),
        reason: "account_not_active",
    },
    Fall {
        table: "identity.account",
        key: "account_id",
        down: "password_epoch = password_epoch + 1",
        up: None,
        reason: "password_changed",
    },
    Fall {
        table: "identity.session",
        key: "session_id",
        down: "ended_at = active_at, end_reason = 'signed_out'",
        up: None,
        reason: "session_ended",
    },
];

impl Fall {
    pub(super) async fn befalls(&self, world: &World, session: Uuid, change: &str) {
        let id = match self.key {
            "subject_id" => world.subject.to_string(),
            "tenant_id" => world.clinic.id.to_string(),
            "account_id" => world.person.account.to_string(),
            _ => session.to_string(),
        };
        let (table, key) = (self.table, self.key);
        world
            .tell(&format!("update {table} set {change} where {key} = '{id}'"))
            .await;
    }
}

/// RT-13, RT-14: refused for the current generation and for a retry alike, publicly with one word;
/// what comes back by itself finds its family as it was.
#[tokio::test]
async fn whatever_fell_between_answer_and_retry_is_refused() {
    let world = World::new().await;
    for party in [world.public().await, world.confidential().await] {
        for fall in FALLS {
            let signed_in = world.sign_in(&party).await;
            let next = world.refresh(&party, &signed_in.refresh).await.tokens();
            let before = world.row(signed_in.family()).await;
            fall.befalls(&world, signed_in.session, fall.down).await;
            for token in [&next.refresh, &signed_in.refresh] {
                world.refresh(&party, token).await.refused("invalid_grant");
                let seen = ("refresh.rejected".to_owned(), fall.reason.to_owned());
                assert_eq!(world.last_event("reason").await, seen);
            }
            assert_eq!(
                world.row(signed_in.family()).await,
                before,
                "{}",
                fall.reason
            );
            if let Some(up) = fall.up {
                fall.befalls(&world, signed_in.session, up).await;
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
    let [.., session_ends] = FALLS;
    session_ends
        .befalls(&world, first.session, session_ends.down)
        .await;
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
             update identity.session set factor_proved_at = proved_at where session_id = '{}';
             update identity.membership_role set role = 'executive' where subject_id = '{}'",
            party.id, first.session, world.subject
        ))
        .await;
    let third = world.refresh(&party, &second.refresh).await.tokens();
    assert_eq!(third.claims["roles"], serde_json::json!(["executive"]));
    assert_eq!(
        third.claims["scope"], "openid",
        "an executive reads no visits"
    );
}
