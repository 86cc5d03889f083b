//! Identity's data key.

use lanyard::keys::KeysError;
use ring::{hkdf, hmac};
use uuid::Uuid;

use super::open;
use crate::lab::cluster::{self, tell};
use crate::lab::server::MASTER;
use crate::lab::{Lab, cluster::Database};

/// What a database says of its data key that the previous release filled.
const AS_BEFORE: &str = "delete from identity.data_key;
    insert into identity.data_key (generation, created_at) values (1, now())";

async fn wrapped(database: &Database) -> Option<(String, Vec<u8>)> {
    let row: (Option<String>, Option<Vec<u8>>) =
        sqlx::query_as("select master_key_id, wrapped from identity.data_key")
            .fetch_one(&mut database.superuser().await)
            .await
            .unwrap();
    row.0.zip(row.1)
}

/// The locator that the previous release computes: HKDF-SHA-256 over the master key itself.
fn locator_before(login: &str) -> Uuid {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"lanyard");
    let mut key = [0; 32];
    salt.extract(&MASTER)
        .expand(&[b"locator"], hkdf::HKDF_SHA256)
        .unwrap()
        .fill(&mut key)
        .unwrap();
    let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key));
    for part in ["login", login] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    Uuid::from_slice(&mac.sign().as_ref()[..16]).unwrap()
}

/// Design §9. The previous release derived everything from the master key; a database that it
/// filled keeps its people, sessions and signing keys, and takes another master key for a wrong
/// one.
#[tokio::test]
async fn a_database_from_before_there_were_data_keys_keeps_everything() {
    let database = cluster::fresh().await;
    tell(&mut database.superuser().await, AS_BEFORE).await;
    let lab = Lab::on(database.clone()).await;
    let clinic = lab.clinic("Juniper Clinic").await;
    let ada = lab.person("Ada Quill").await;
    lab.join(&ada, clinic.id, &["patient"]).await;
    let browser = lab.signed_in(&ada).await;
    let stored: Uuid =
        sqlx::query_scalar("select login_locator from identity.account where login = $1")
            .bind(&ada.login)
            .fetch_one(&mut database.superuser().await)
            .await
            .unwrap();
    assert_eq!(stored, locator_before(&ada.login));
    let first = wrapped(&database)
        .await
        .expect("stored at the first opening");

    // The upgrade once more, over the rows that are there now.
    tell(&mut database.superuser().await, AS_BEFORE).await;
    assert!(matches!(
        open(&lab, [43; 32]).await,
        Err(KeysError::OtherMaster)
    ));
    assert_eq!(
        wrapped(&database).await,
        None,
        "nothing was stored for a wrong master key"
    );
    let upgraded = lab.second_node().await;
    assert_ne!(wrapped(&database).await, Some(first), "wrapped anew");
    let account = browser.through(upgraded.address).visit("/account").await;
    assert_eq!(account.status, 200, "the session goes on");
    upgraded.signed_in(&ada).await;
}

/// A new database has a key of its own, which says nothing of the master key.
#[tokio::test]
async fn a_new_database_draws_its_data_key() {
    let lab = Lab::apart(|_| ()).await;
    let ada = lab.person("Ada Quill").await;
    assert_ne!(
        lab.app.keys.locator("login", &ada.login),
        locator_before(&ada.login)
    );
    assert!(wrapped(&lab.database).await.is_some());
    let again = open(&lab, MASTER).await.unwrap();
    assert_eq!(
        again.locator("login", &ada.login),
        lab.app.keys.locator("login", &ada.login)
    );
}

/// CFG-04: identity's data key opens under its own master key, in its own row, unaltered; else
/// nothing opens. Of many processes that start at once on a new database all have the same key.
#[tokio::test]
async fn an_altered_data_key_opens_nothing_and_a_race_makes_one() {
    let lab = Lab::apart(|_| ()).await;
    assert!(matches!(
        open(&lab, [43; 32]).await,
        Err(KeysError::Wrap(_))
    ));
    let mut boss = lab.database.superuser().await;
    for harm in [
        "wrapped = set_byte(wrapped, 20, get_byte(wrapped, 20) # 1)",
        "generation = 2",
        "wrapped = substr(wrapped, 1, octet_length(wrapped) - 1)",
        "master_key_id = '0123456789abcdef'",
    ] {
        let harmed = format!("begin; update identity.data_key set {harm}; commit");
        tell(
            &mut boss,
            "create temp table kept as select * from identity.data_key",
        )
        .await;
        tell(&mut boss, &harmed).await;
        assert!(open(&lab, MASTER).await.is_err(), "{harm}");
        tell(
            &mut boss,
            "delete from identity.data_key; insert into identity.data_key select * from kept;
             drop table kept",
        )
        .await;
        assert!(open(&lab, MASTER).await.is_ok(), "mended after {harm}");
    }
    tell(&mut boss, "delete from identity.data_key").await;
    let (a, b, c, d) = tokio::join!(
        open(&lab, MASTER),
        open(&lab, MASTER),
        open(&lab, MASTER),
        open(&lab, MASTER)
    );
    let locators = [a, b, c, d].map(|keys| keys.unwrap().locator("login", "x"));
    assert!(
        locators.windows(2).all(|pair| pair[0] == pair[1]),
        "{locators:?}"
    );
}
