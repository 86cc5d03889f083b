//! What ends a delegation, or its tokens, at once and on the record.

use lanyard::delegation::upkeep;
use serde_json::json;
use time::Duration;

use super::super::assert_refused;
use super::{ALL, Family, OWN, Seat, assert_problem};

impl Family {
    /// Asserts that one is over for that reason: no token is given any more, the API lets none of
    /// the earlier ones in, the verifiers are told, and its end is in the log exactly once.
    async fn assert_over(&self, seat: &Seat, (id, acting): (&str, &str), cause: &str) {
        let refused = self.exchange(seat, id, &[]).await;
        assert_refused(&refused, 400, "invalid_grant");
        let shut = self.get("/api/v1/visits", acting).await;
        assert_ne!(shut.status, 200, "{cause}: {}", shut.body);
        let ends = self.ends_told(id).await;
        assert_eq!(ends, ["delegation_ended"], "{cause}");
        let app = &self.world.lab.app;
        upkeep::settle(app).await.unwrap();
        upkeep::settle(app).await.unwrap();
        let ended = self.told("ended").await;
        let of_it: Vec<_> = ended
            .iter()
            .filter(|event| event.detail["delegation"] == id)
            .collect();
        assert_eq!(of_it.len(), 1, "{cause}: {ended:?}");
        assert_eq!(of_it[0].detail["cause"], cause);
        assert_eq!(of_it[0].detail["proxy"], json!(self.pats));
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
async fn the_clinic_the_proxy_and_the_patient_end_it_at_once() {
    let family = Family::apart().await;
    let ada = family.seat(&family.world.person).await;
    let tina = family.seat(&family.tina).await;
    let pat = family.seat(&family.pat).await;
    for (seat, path, cause) in [
        (&tina, ALL, "by_clinic"),
        (&pat, OWN, "by_proxy"),
        (&ada, OWN, "by_patient"),
    ] {
        let id = family.granted(&family.agent()).await;
        let acting = family.acting(&pat, &id).await;
        let path = format!("{path}/{id}/end");
        let ended = family.post(seat, &path, &json!({})).await;
        assert_eq!(ended.json()["end_cause"], cause, "{}", ended.body);
        let again = family.post(seat, &path, &json!({})).await;
        assert_eq!(again.json(), ended.json(), "it stays as it ended");
        family.assert_over(&pat, (&id, &acting), cause).await;
    }
}

/// A minor does not dismiss a parent, and nobody ends what is not his.
#[tokio::test]
async fn what_is_not_hers_is_not_hers_to_end() {
    let family = Family::new().await;
    let id = family.granted(&family.parent()).await;
    let path = format!("{OWN}/{id}/end");
    let ada = family.seat(&family.world.person).await;
    let answer = family.post(&ada, &path, &json!({})).await;
    assert_problem(&answer, 403, "insufficient_role");
    let tina = family.seat(&family.tina).await;
    let answer = family.post(&tina, &path, &json!({})).await;
    assert_problem(&answer, 404, "not_found");
    let harbor = family.world.lab.clinic("Harbor Clinic").await;
    let other = family.world.lab.person("Harbor Admin").await;
    let roles = ["clinic_admin"];
    family.world.lab.join(&other, harbor.id, &roles).await;
    let other = family.seat(&other).await;
    let answer = family
        .post(&other, &format!("{ALL}/{id}/end"), &json!({}))
        .await;
    assert_problem(&answer, 404, "not_found");
    assert_eq!(
        family.get(ALL, &other.token).await.json()["delegations"],
        json!([])
    );
    let pat = family.seat(&family.pat).await;
    family.acting(&pat, &id).await;
}

/// Of either: the membership, the account; of the patient: that she is one. Nothing that comes back
/// brings it back.
#[tokio::test]
async fn whatever_takes_the_ground_away_ends_it() {
    let family = Family::apart().await;
    let (ada, pat) = (family.ada().as_uuid(), family.pats.as_uuid());
    let adas = family.world.person.account.as_uuid();
    let pats = family.pat.account.as_uuid();
    let membership = (
        "update identity.membership set status = 'suspended' where subject_id = $1",
        "update identity.membership set status = 'active' where subject_id = $1",
        "membership_changed",
    );
    let account = (
        "update identity.account set status = 'disabled' where account_id = $1",
        "update identity.account set status = 'active' where account_id = $1",
        "account_changed",
    );
    let role = (
        "delete from identity.membership_role where subject_id = $1",
        "insert into identity.membership_role (tenant_id, subject_id, role)
         select tenant_id, subject_id, 'patient' from identity.membership where subject_id = $1",
        "roles_changed",
    );
    for ((statement, undo, cause), id) in [
        (membership, ada),
        (membership, pat),
        (account, adas),
        (account, pats),
        (role, ada),
    ] {
        // Another code for who proves a factor again.
        family.world.lab.clock.advance(Duration::seconds(30));
        let delegation = family.granted(&family.agent()).await;
        let seat = family.seat(&family.pat).await;
        let acting = family.acting(&seat, &delegation).await;
        family.tell(statement, id).await;
        family.tell(undo, id).await;
        family
            .assert_over(&seat, (&delegation, &acting), cause)
            .await;
    }
}

/// The birthday that the clinic wrote down, from its first instant, whatever anybody does.
#[tokio::test]
async fn a_minor_ages_out() {
    let family = Family::apart().await;
    let now = family.world.lab.now();
    let tomorrow = now.date().next_day().unwrap();
    let mut wish = family.parent();
    wish["ages_out_on"] = json!(tomorrow.to_string());
    let id = family.granted(&wish).await;
    let midnight = tomorrow.midnight().assume_utc();
    family
        .world
        .lab
        .clock
        .advance(midnight - now - Duration::SECOND);
    let pat = family.seat(&family.pat).await;
    let given = family.exchange(&pat, &id, &[]).await.json();
    assert_eq!(given["expires_in"], 1);
    family.world.lab.clock.advance(Duration::SECOND);
    let acting = given["access_token"].as_str().unwrap();
    let refused = family.exchange(&pat, &id, &[]).await;
    assert_refused(&refused, 400, "invalid_grant");
    let shut = family.get("/api/v1/visits", acting).await;
    assert_ne!(shut.status, 200, "within the leeway of its `exp`");
    upkeep::settle(&family.world.lab.app).await.unwrap();
    family.assert_over(&pat, (&id, acting), "aged_out").await;
}

/// The proxy's sign-out ends the tokens that he was given, and not what lets him act.
#[tokio::test]
async fn a_proxys_sign_out_ends_his_tokens() {
    let family = Family::new().await;
    let id = family.granted(&family.agent()).await;
    let pat = family.seat(&family.pat).await;
    family.acting(&pat, &id).await;
    let page = pat.browser.visit("/account").await;
    let out = pat.browser.submit(&page, "end-all", &[]).await;
    out.goes_to("/signed-out");
    assert_eq!(family.ends_told(&id).await, ["proxy_signed_out"]);
    let refused = family.exchange(&pat, &id, &[]).await;
    assert_refused(&refused, 400, "invalid_grant");
    let denied = family.told("denied").await;
    assert_eq!(denied[0].detail["reason"], "proxy_session_over");
    let again = family.seat(&family.pat).await;
    family.acting(&again, &id).await;
    assert!(family.told("ended").await.is_empty());
}
