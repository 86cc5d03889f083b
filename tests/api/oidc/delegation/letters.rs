//! What the patient and the proxy are told by mail.

use lanyard::config::MailDelivery;
use lanyard::delegation::upkeep;
use lanyard::mail;
use serde_json::json;

use super::{ALL, Family, OWN, assert_problem};
use crate::lab::Lab;
use crate::lab::cluster::tell;

const SUBJECTS: [&str; 4] = [
    "Someone may act for you",
    "You may act for someone",
    "Someone may no longer act for you",
    "You may no longer act for someone",
];

/// Both, of its beginning and its end, once each, with what it tells of; neither letter says who
/// the other is, on what ground, or how much.
#[tokio::test]
async fn both_are_told_of_the_beginning_and_the_end() {
    let lab = Lab::apart(|config| config.mail.delivery = MailDelivery::Catcher).await;
    let family = Family::on(lab).await;
    let (ada, pat) = (&family.world.person, &family.pat);
    let wish = family.agent();
    let id = family.granted(&wish).await;
    for who in [ada, pat] {
        assert_eq!(family.letters(who).await, ["delegation_made"]);
    }
    let tina = family.seat(&family.tina).await;
    let again = family.post(&tina, ALL, &wish).await;
    assert_problem(&again, 409, "wrong_state");
    let seat = family.seat(ada).await;
    for _ in 0..2 {
        let path = format!("{OWN}/{id}/end");
        let ended = family.post(&seat, &path, &json!({})).await;
        assert_eq!(ended.status, 200, "{}", ended.body);
    }
    let app = &family.world.lab.app;
    upkeep::settle(app).await.unwrap();
    for who in [ada, pat] {
        let told = family.letters(who).await;
        assert_eq!(told, ["delegation_made", "delegation_ended"]);
    }
    assert!(family.letters(&family.tina).await.is_empty());
    while mail::deliver(app).await.unwrap() > 0 {}
    let mut caught = mail::caught(app, 100).await.unwrap();
    caught.retain(|told| SUBJECTS.contains(&told.letter.subject));
    assert_eq!(caught.len(), 4);
    for told in caught {
        let is_his = told.letter.subject.starts_with("You");
        assert_eq!(
            told.to,
            if is_his { &pat.login } else { &ada.login }.as_str()
        );
        let body = &told.letter.body;
        for words in [
            "Juniper Clinic",
            "Mar 2, 2026, 2:00 PM UTC",
            "Acting for somebody",
        ] {
            assert!(body.contains(words), "{body}");
        }
        for not in [
            "Ada", "Pat", "Quill", "POA-7", "visit", "attorney", "://", &id,
        ] {
            assert!(!body.contains(not), "{body}");
        }
    }
}

/// Whatever ends it is told with its record; whose account is none any more is written nothing.
#[tokio::test]
async fn an_end_that_nobody_asked_for_is_told_too() {
    let family = Family::apart().await;
    let (ada, pat) = (&family.world.person, &family.pat);
    let app = &family.world.lab.app;
    let end = async |table: &str, column: &str, id: uuid::Uuid| {
        let mut boss = family.world.lab.database.superuser().await;
        let status = if table == "account" {
            "disabled"
        } else {
            "ended"
        };
        let sql =
            format!("update identity.{table} set status = '{status}' where {column} = '{id}'");
        tell(&mut boss, &sql).await;
        upkeep::settle(app).await.unwrap();
        upkeep::settle(app).await.unwrap();
        tell(&mut boss, &sql.replace(status, "active")).await;
    };
    family.granted(&family.agent()).await;
    end("membership", "subject_id", family.pats.as_uuid()).await;
    for who in [ada, pat] {
        let told = family.letters(who).await;
        assert_eq!(told, ["delegation_made", "delegation_ended"]);
    }
    family.world.lab.clock.advance(time::Duration::seconds(30));
    family.granted(&family.agent()).await;
    end("account", "account_id", pat.account.as_uuid()).await;
    let (hers, his) = (family.letters(ada).await, family.letters(pat).await);
    assert_eq!(hers.len(), 4, "{hers:?}");
    assert_eq!(his.len(), 3, "{his:?}");
}
