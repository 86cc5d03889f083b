//! What ends a grant, at once and on the record.

use lanyard::ids::TenantId;
use lanyard::impersonation::{Rule, upkeep};
use time::Duration;

use super::super::assert_refused;
use super::{Help, Seat};

impl Help {
    /// Asserts that a grant is over for that reason, gives no token any more, and that its end is
    /// in the log exactly once.
    async fn assert_over(&self, seat: &Seat, id: &str, cause: &str) {
        let (state, why, _) = self.stored(id).await;
        assert_eq!((state.as_str(), why.as_deref()), ("ended", Some(cause)));
        let answer = self.exchange(seat, id, &[]).await;
        assert_refused(&answer, 400, "invalid_grant");
        let app = &self.world.lab.app;
        upkeep::settle(app).await.unwrap();
        upkeep::settle(app).await.unwrap();
        let told = self.told("ended").await;
        let of_it: Vec<_> = told
            .iter()
            .filter(|told| told.detail["impersonation"] == id)
            .collect();
        assert_eq!(of_it.len(), 1, "{cause}: {told:?}");
        assert_eq!(of_it[0].detail["cause"], cause);
        assert_eq!(of_it[0].detail["actor"], serde_json::json!(self.sams));
    }

    async fn tell(&self, statement: &'static str, id: uuid::Uuid) {
        let done = sqlx::query(statement)
            .bind(id)
            .execute(&mut self.world.lab.database.superuser().await)
            .await
            .unwrap();
        assert!(done.rows_affected() > 0, "{statement}");
    }
}

#[tokio::test]
async fn each_side_ends_it_at_once() {
    let help = Help::new(Rule::Allowed).await;
    let (sam, tina) = (help.seat(&help.sam).await, help.seat(&help.tina).await);
    for (seat, cause) in [(&sam, "by_actor"), (&tina, "by_clinic")] {
        let id = help.started(&sam).await;
        assert_eq!(help.exchange(&sam, &id, &[]).await.status, 200);
        let ended = help.post(seat, &format!("/{id}/end"), None).await;
        assert_eq!(ended.json()["state"], "ended", "{}", ended.body);
        let again = help.post(seat, &format!("/{id}/end"), None).await;
        assert_eq!(again.json()["end_cause"], cause, "it stays as it ended");
        help.assert_over(&sam, &id, cause).await;
    }
}

/// Design §7: the actor's sign-out, in its own transaction.
#[tokio::test]
async fn the_actors_sign_out_ends_it() {
    let help = Help::new(Rule::Allowed).await;
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    let page = sam.browser.visit("/account").await;
    let out = sam.browser.submit(&page, "end-all", &[]).await;
    out.goes_to("/signed-out");
    help.assert_over(&sam, &id, "actor_signed_out").await;
}

#[tokio::test]
async fn whatever_takes_the_ground_away_ends_it() {
    let help = Help::new(Rule::Allowed).await;
    let (clinic, ada) = (help.world.clinic.id, help.world.subject);
    let sams = help.sams.as_uuid();
    for (statement, id, cause, undo) in [
        (
            "update identity.membership set status = 'suspended' where subject_id = $1",
            sams,
            "membership_changed",
            "update identity.membership set status = 'active' where subject_id = $1",
        ),
        (
            "update identity.membership set status = 'ended' where subject_id = $1",
            ada.as_uuid(),
            "membership_changed",
            "update identity.membership set status = 'active' where subject_id = $1",
        ),
        (
            "delete from identity.membership_role where subject_id = $1",
            sams,
            "roles_changed",
            "insert into identity.membership_role (tenant_id, subject_id, role)
             values ('00000000-0000-0000-0000-000000000001', $1, 'platform_support')",
        ),
        (
            "update identity.account set status = 'disabled' where account_id = $1",
            help.world.person.account.as_uuid(),
            "account_changed",
            "update identity.account set status = 'active' where account_id = $1",
        ),
        (
            "update identity.account set status = 'disabled' where account_id = $1",
            help.sam.account.as_uuid(),
            "account_changed",
            "update identity.account set status = 'active' where account_id = $1",
        ),
        (
            "update tenancy.tenant set status = 'suspended' where tenant_id = $1",
            clinic.as_uuid(),
            "clinic_suspended",
            "update tenancy.tenant set status = 'active' where tenant_id = $1",
        ),
    ] {
        help.world.lab.clock.advance(Duration::seconds(30));
        let sam = help.seat(&help.sam).await;
        let grant = help.started(&sam).await;
        assert_eq!(help.exchange(&sam, &grant, &[]).await.status, 200);
        help.tell(statement, id).await;
        let (state, why, _) = help.stored(&grant).await;
        assert_eq!((state.as_str(), why.as_deref()), ("ended", Some(cause)));
        help.tell(undo, id).await;
        // Nothing that comes back brings it back.
        help.assert_over(&sam, &grant, cause).await;
    }
}

/// TEN-07 and design §7: a clinic that changes its mind.
#[tokio::test]
async fn a_stricter_rule_ends_what_stands() {
    let help = Help::new(Rule::Allowed).await;
    let sam = help.seat(&help.sam).await;
    let active = help.started(&sam).await;
    let approved = help.granted(&sam).await;
    help.set_rule(Rule::Forbidden).await;
    help.assert_over(&sam, &active, "policy_changed").await;
    let (state, why, _) = help.stored(&approved).await;
    assert_eq!(
        (state.as_str(), why.as_deref()),
        ("ended", Some("policy_changed"))
    );
    assert_eq!(help.told("policy_changed").await.len(), 2);
}

#[tokio::test]
async fn minutes_that_are_over_are_over_on_the_record() {
    let help = Help::new(Rule::Allowed).await;
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    help.world.lab.clock.advance(Duration::minutes(15));
    upkeep::settle(&help.world.lab.app).await.unwrap();
    let sam = help.seat(&help.sam).await;
    help.assert_over(&sam, &id, "time").await;
}

/// The database's own no: whatever a bug may write.
#[tokio::test]
async fn the_database_keeps_grants_in_order() {
    let help = Help::new(Rule::ApprovalByAdmin).await;
    let sam = help.seat(&help.sam).await;
    let id = help.ask(&sam).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut boss = help.world.lab.database.superuser().await;
    for (statement, constraint) in [
        (
            "update identity.impersonation set state = 'active', approved_at = requested_at,
               started_at = requested_at, ends_at = requested_at + interval '1 minute',
               actor_session_id = impersonation_id where impersonation_id = $1::text::uuid",
            "impersonation_goes_forward",
        ),
        (
            "update identity.impersonation set state = 'approved', approved_at = requested_at
             where impersonation_id = $1::text::uuid",
            "impersonation_is_approved_as_its_rule_says",
        ),
        (
            "update identity.impersonation set state = 'approved', approved_at = requested_at,
               started_at = requested_at, ends_at = requested_at + interval '31 minutes',
               actor_session_id = impersonation_id, rule = 'allowed'
             where impersonation_id = $1::text::uuid",
            "impersonation_is_short",
        ),
        (
            "update identity.impersonation set actor_account_id = account_id
             where impersonation_id = $1::text::uuid",
            "impersonation_is_of_another",
        ),
        (
            "update identity.impersonation set state = 'ended'
             where impersonation_id = $1::text::uuid",
            "impersonation_end_is_whole",
        ),
    ] {
        let error = sqlx::query(statement)
            .bind(&id)
            .execute(&mut boss)
            .await
            .unwrap_err();
        let refusal = error.as_database_error().expect("the database's");
        assert_eq!(refusal.constraint(), Some(constraint), "{statement}");
    }
    let ended = help.post(&sam, &format!("/{id}/end"), None).await;
    assert_eq!(ended.json()["end_cause"], "by_actor");
    let revived = sqlx::query(
        "update identity.impersonation set state = 'requested', ended_at = null, end_reason = null,
           end_recorded_at = null where impersonation_id = $1::text::uuid",
    )
    .bind(&id)
    .execute(&mut boss)
    .await
    .unwrap_err();
    let refusal = revived.as_database_error().expect("the database's");
    assert_eq!(refusal.constraint(), Some("impersonation_end_is_final"));
    assert_ne!(help.world.clinic.id, TenantId::PLATFORM);
}
