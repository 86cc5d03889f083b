//! What a restored database is known by, and what it may not bring back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use lanyard::cli::Operator;
use lanyard::keys::epoch::{self, EpochError, Mark};
use lanyard::keys::{FolderError, MasterKeys};
use lanyard::signing::service::rules;

use super::{DRAWN, Folder, folder};
use crate::lab::Lab;
use crate::lab::cluster::tell;

/// Design §11: a database behind the copy in the keys folder is refused, at a start and under a
/// process that serves; one that is at it or ahead is not.
#[tokio::test]
async fn a_database_that_forgot_is_known_by_its_count() {
    let lab = Lab::apart(|_| ()).await;
    let (db, dir) = (&lab.app.db, Folder::new());
    folder(dir.path(), DRAWN);
    let first = epoch::check_in(db, dir.path()).await.unwrap();
    let second = epoch::count(db, dir.path(), first).await.unwrap();
    assert!(second > first);
    assert_eq!(epoch::known(dir.path()).unwrap(), Some(second));
    // Another replica counts too: nobody is behind by that.
    let elsewhere = Folder::new();
    folder(elsewhere.path(), DRAWN);
    epoch::check_in(db, elsewhere.path()).await.unwrap();
    let third = epoch::count(db, dir.path(), second).await.unwrap();
    let set = async |checkpoint: i64| {
        let sql = format!("update identity.epoch set checkpoint = {checkpoint}");
        tell(&mut lab.database.superuser().await, &sql).await;
    };
    set(third.checkpoint - 1).await;
    let start = epoch::check_in(db, dir.path()).await;
    assert!(matches!(start, Err(EpochError::Behind { .. })), "{start:?}");
    let serving = epoch::count(db, dir.path(), third).await;
    assert!(
        matches!(serving, Err(EpochError::Behind { .. })),
        "{serving:?}"
    );
    set(third.checkpoint).await;
    epoch::check_in(db, dir.path()).await.unwrap();
    fs::write(dir.path().join("epoch"), "yesterday").unwrap();
    assert!(
        epoch::check_in(db, dir.path()).await.is_err(),
        "fail closed"
    );
}

/// Design §11: nothing that a restore brings back opens anything. Sessions, refresh tokens and
/// codes are void by their digests, whatever the rows say; accounts, passwords and registered
/// clients stay.
#[tokio::test]
async fn what_a_restore_brings_back_is_void() {
    let lab = Lab::apart(|_| ()).await;
    let dir = Folder::new();
    folder(dir.path(), DRAWN);
    let ada = lab.person("Ada Quill").await;
    let browser = lab.signed_in(&ada).await;
    assert_eq!(browser.visit("/account").await.status, 200);
    let app = &lab.app;
    let kids = |ring: &lanyard::signing::KeyRing| ring.jwks().to_string();
    let before = kids(&app.ring());
    epoch::check_in(&app.db, dir.path()).await.unwrap();
    let operator = Operator::new(&app.db, &app.env, &app.keys);
    let begun = operator.recover_restored(dir.path(), rules(&app.config));
    assert_eq!(
        begun.await.unwrap(),
        Mark {
            epoch: 2,
            checkpoint: 0
        }
    );
    let restarted = lab.second_node().await;
    assert_ne!(kids(&restarted.app.ring()), before, "other keys sign");
    let old = browser.through(restarted.address);
    old.visit("/account").await.page("Sign in to continue");
    restarted.signed_in(&ada).await;
    // A process of the epoch before notices that it is over.
    let last = Mark {
        epoch: 1,
        checkpoint: 1,
    };
    let counted = epoch::count(&app.db, dir.path(), last).await;
    assert!(matches!(counted, Err(EpochError::Behind { .. })));
}

/// CFG-01: a keys folder or a key that others can read, that another user owns, or that anybody can
/// guess, is refused before anything is served.
#[test]
fn an_open_or_guessable_master_key_is_refused() {
    let dir = Folder::new();
    folder(dir.path(), DRAWN);
    let load = || MasterKeys::load(dir.path());
    let mode = |name: &str, mode| {
        let path = dir.path().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for (name, right) in [("", 0o700), ("master.key", 0o600)] {
        for wrong in [0o004, 0o040, 0o010, 0o020] {
            mode(name, right | wrong);
            assert!(
                matches!(load(), Err(FolderError::Exposed { .. })),
                "{name} {wrong:o}"
            );
        }
        mode(name, right);
        assert!(load().is_ok());
    }
    let key = dir.path().join("master.key");
    for (text, is_refused) in [
        ("c2hvcnQ=", "Malformed"),
        ("", "Malformed"),
        ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "Guessable"),
        ("Y29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZSAzMiE=", "Guessable"),
    ] {
        fs::write(&key, text).unwrap();
        let refused = format!("{:?}", load().unwrap_err());
        assert!(refused.starts_with(is_refused), "{text}: {refused}");
    }
    fs::remove_file(&key).unwrap();
    assert!(matches!(load(), Err(FolderError::Unreadable { .. })));
}
