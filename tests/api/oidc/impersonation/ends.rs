//! What ends a grant, at once and on the record.

use lanyard::cli::Operator;
use lanyard::ids::TenantId;
use lanyard::impersonation::{Rule, upkeep};
use lanyard::oidc::sessions_end::{Proof, Reason};
use sqlx::Connection as _;
use time::Duration;

use super::super::{assert_refused, claims};
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

    /// Ends everything of a clinic, or of the platform.
    async fn end_everything(&self, of: TenantId) -> Proof {
        let app = &self.world.lab.app;
        let operator = Operator::new(&app.db, &app.env, &app.keys);
        let ending = operator.end_sessions(of, Reason::Drill, |_| ());
        ending.await.unwrap()
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

/// A token of a session of his that ended before says nothing of the one that a grant started in,
/// nor of a grant that did not start. One of the session that it started in does, also if the
/// database was not there to see that session end.
#[tokio::test]
async fn only_the_session_that_it_started_in_takes_it_along() {
    let help = Help::new(Rule::Allowed).await;
    let (old, sam) = (help.seat(&help.sam).await, help.seat(&help.sam).await);
    let (active, approved) = (help.started(&sam).await, help.granted(&sam).await);
    let end = "update identity.session set ended_at = now(), end_reason = 'signed_out'
        where session_id = (select session_id from identity.tenant_session where sid = $1)";
    let sid = |seat: &Seat| -> uuid::Uuid {
        let claims = claims(&serde_json::json!(seat.token));
        claims["sid"].as_str().unwrap().parse().unwrap()
    };
    help.tell(end, sid(&old)).await;
    for (id, state) in [(&active, "active"), (&approved, "approved")] {
        let answer = help.exchange(&old, id, &[]).await;
        assert_refused(&answer, 400, "invalid_grant");
        let told = help.told("denied").await;
        let reason = &told.last().unwrap().detail["reason"];
        assert_eq!(reason, "actor_session_over");
        assert_eq!(help.stored(id).await.0, state);
    }
    assert_eq!(help.exchange(&sam, &active, &[]).await.status, 200);

    // Without the triggers, as if the start had committed in the moment of the end.
    let mut boss = help.world.lab.database.superuser().await;
    sqlx::raw_sql("set session_replication_role = replica")
        .execute(&mut boss)
        .await
        .unwrap();
    let ended = sqlx::query(end).bind(sid(&sam)).execute(&mut boss).await;
    assert_eq!(ended.unwrap().rows_affected(), 1);
    assert_eq!(help.stored(&active).await.0, "active");
    let answer = help.exchange(&sam, &active, &[]).await;
    assert_refused(&answer, 400, "invalid_grant");
    help.assert_over(&sam, &active, "actor_signed_out").await;
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

/// Whoever ends everything of a clinic ends what support does there, and nothing elsewhere; of the
/// platform, whose people act, it is all.
#[tokio::test]
async fn everything_of_a_clinic_takes_its_grants_along() {
    let help = Help::new(Rule::Allowed).await;
    let lab = &help.world.lab;
    let harbor = lab.clinic("Harbor Clinic").await;
    let bea = lab.person("Bea Quill").await;
    let bea = lab.join(&bea, harbor.id, &["patient"]).await;
    let operator = Operator::new(&lab.app.db, &lab.app.env, &lab.app.keys);
    let set = operator.set_impersonation_rule(harbor.id, Rule::Allowed);
    assert!(set.await.unwrap());
    let sam = help.seat(&help.sam).await;
    let (active, approved) = (help.started(&sam).await, help.granted(&sam).await);
    let wish = Help::wish(harbor.id, bea);
    let asked = help.post(&sam, "", Some(&wish)).await.json();
    let elsewhere = asked["id"].as_str().unwrap();
    help.post(&sam, &format!("/{elsewhere}/start"), None).await;
    assert_eq!(help.exchange(&sam, &active, &[]).await.status, 200);

    lab.clock.advance(Duration::SECOND);
    let proof = help.end_everything(help.world.clinic.id).await;
    assert!(proof.is_complete, "{proof:?}");
    help.assert_over(&sam, &active, "by_operator").await;
    help.assert_over(&sam, &approved, "by_operator").await;
    assert_eq!(help.exchange(&sam, elsewhere, &[]).await.status, 200);
    lab.clock.advance(Duration::SECOND);
    let anew = help.started(&sam).await;
    assert_eq!(help.exchange(&sam, &anew, &[]).await.status, 200);

    lab.clock.advance(Duration::SECOND);
    let proof = help.end_everything(TenantId::PLATFORM).await;
    assert!(proof.is_complete, "{proof:?}");
    for id in [anew.as_str(), elsewhere] {
        let (state, why, _) = help.stored(id).await;
        let said = (state.as_str(), why.as_deref());
        assert_eq!(said, ("ended", Some("by_operator")));
    }
}

/// A request that was being written as the end came is waited for, and ended too: the proof is not
/// given before.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_under_way_does_not_outrun_the_end_of_everything() {
    let help = Help::new(Rule::Allowed).await;
    let sam = help.seat(&help.sam).await;
    let known = help.granted(&sam).await;
    let mut boss = help.world.lab.database.superuser().await;
    let mut writing = boss.begin().await.unwrap();
    // As the known one, which the end finds; this one it can't see yet.
    let late: String = sqlx::query_scalar(
        "insert into identity.impersonation (tenant_id, impersonation_id, subject_id, account_id,
           actor_id, actor_account_id, actor_name, client_id, reason, ticket, preset, minutes, rule,
           state, requested_at, start_by, approved_at)
         select tenant_id, gen_random_uuid(), subject_id, account_id, actor_id, actor_account_id,
           actor_name, client_id, reason, ticket, preset, minutes, rule, state, requested_at,
           start_by, approved_at
         from identity.impersonation where impersonation_id = $1::text::uuid
         returning impersonation_id::text",
    )
    .bind(&known)
    .fetch_one(&mut *writing)
    .await
    .unwrap();
    help.world.lab.clock.advance(Duration::SECOND);
    let clinic = help.world.clinic.id;
    let mut ending = std::pin::pin!(help.end_everything(clinic));
    let early = tokio::time::timeout(std::time::Duration::from_millis(700), &mut ending).await;
    assert!(early.is_err(), "it is not complete while somebody writes");
    assert_eq!(help.stored(&known).await.0, "ended", "by the order's row");
    writing.commit().await.unwrap();
    let proof = ending.await;
    assert!(proof.is_complete, "{proof:?}");
    help.assert_over(&sam, &late, "by_operator").await;
}

/// The platform's own end of the session that he acts in, whatever path it comes by.
#[tokio::test]
async fn the_end_of_the_actors_session_at_the_platform_ends_it() {
    let help = Help::new(Rule::Allowed).await;
    let sam = help.seat(&help.sam).await;
    let id = help.started(&sam).await;
    let end = "update identity.tenant_session set ended_at = now() where subject_id = $1";
    help.tell(end, help.sams.as_uuid()).await;
    help.assert_over(&sam, &id, "actor_signed_out").await;
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
