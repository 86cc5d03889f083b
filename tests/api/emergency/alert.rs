//! Who is told, and that nothing is opened of which nobody is told.

use lanyard::config::MailDelivery;
use lanyard::mail;

use super::{Member, OPEN, Ward, assert_problem, member, wanted};
use crate::lab::Lab;

async fn set(ward: &Ward, who: &Member, table: &str, status: &str) {
    let sql = format!(
        "update identity.{table} set status = '{status}' where account_id = '{}'",
        who.person.account
    );
    let mut boss = ward.lab.database.superuser().await;
    crate::lab::cluster::tell(&mut boss, &sql).await;
}

/// Each compliance lead, once; the administrators where there is none; never who opened it.
#[tokio::test]
async fn who_reviews_is_told_once_and_without_the_patient() {
    let lab = Lab::apart(|config| config.mail.delivery = MailDelivery::Catcher).await;
    let ward = Ward::on(lab).await;
    let second = member(&ward.lab, &ward.clinic, "Nina Hart", &["compliance_lead"]).await;
    ward.open().await;
    for who in [&ward.lead, &second] {
        let letters = ward.letters(who).await;
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0]["clinician"], "Doctor Vale");
        assert_eq!(letters[0]["clinic"], "Juniper Clinic");
        assert_eq!(letters[0].as_object().unwrap().len(), 2);
    }
    assert!(ward.letters(&ward.admin).await.is_empty());
    assert!(ward.letters(&ward.doctor).await.is_empty());
    // The same click again tells nobody again.
    ward.open().await;
    assert_eq!(ward.letters(&ward.lead).await.len(), 1);
    assert_eq!(mail::deliver(&ward.lab.app).await.unwrap(), 2);
    assert_eq!(mail::deliver(&ward.lab.app).await.unwrap(), 0);
    let caught = mail::caught(&ward.lab.app, 10).await.unwrap();
    assert_eq!(caught.len(), 2);
    for told in caught {
        let body = &told.letter.body;
        for words in ["Doctor Vale", "Mar 2, 2026, 2:00 PM UTC", "in an emergency"] {
            assert!(body.contains(words), "{body}");
        }
        for not in ["Ben Stone", "waiting room", "life_threatening", "://"] {
            assert!(!body.contains(not), "{body}");
        }
        assert!(!body.contains(&ward.other.0.to_string()), "{body}");
    }
}

#[tokio::test]
async fn administrators_are_told_where_no_compliance_lead_is_active() {
    let ward = Ward::new().await;
    set(&ward, &ward.lead, "membership", "suspended").await;
    let disabled = member(&ward.lab, &ward.clinic, "Nina Hart", &["compliance_lead"]).await;
    set(&ward, &disabled, "account", "disabled").await;
    ward.open().await;
    assert_eq!(ward.letters(&ward.admin).await.len(), 1);
    for who in [&ward.lead, &disabled] {
        assert!(ward.letters(who).await.is_empty());
    }
}

/// If nobody but himself would be told, it is not opened, and nothing was written.
#[tokio::test]
async fn nothing_is_opened_of_which_nobody_is_told() {
    let mut ward = Ward::new().await;
    let roles = &["clinician", "compliance_lead"];
    ward.doctor = member(&ward.lab, &ward.clinic, "Doctor All", roles).await;
    set(&ward, &ward.lead, "membership", "ended").await;
    set(&ward, &ward.admin, "membership", "ended").await;
    let token = ward.token(&ward.doctor);
    let refused = ward.post(OPEN, &token, &wanted(ward.other.0)).await;
    assert_problem(&refused, 409, "nobody_to_review");
    assert_eq!(ward.count().await, 0);
    assert_eq!(ward.events().await.len(), 0);
    assert!(ward.letters(&ward.doctor).await.is_empty());
}

/// The same if the outbox takes nothing: the alert is no afterthought.
#[tokio::test]
async fn nothing_is_opened_while_the_outbox_takes_nothing() {
    let ward = Ward::in_real_time().await;
    let mut boss = ward.lab.database.superuser().await;
    let full = "alter table outbox.message add constraint full_up check (false) not valid";
    crate::lab::cluster::tell(&mut boss, full).await;
    let token = ward.token(&ward.doctor);
    let refused = ward.post(OPEN, &token, &wanted(ward.other.0)).await;
    assert_problem(&refused, 500, "server_error");
    assert_eq!(ward.count().await, 0);
    assert_eq!(ward.events().await.len(), 0);
}
