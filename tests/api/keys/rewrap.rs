//! Another master key, while servers serve.

use std::sync::Arc;

use lanyard::cli::Operator;
use lanyard::keys::{self, KeyWrap as _, MasterKey, MasterKeys};
use lanyard::secret::Keys;
use uuid::Uuid;

use super::{DRAWN, Folder, folder};
use crate::lab::Lab;

async fn masters(lab: &Lab) -> Vec<String> {
    sqlx::query_scalar(
        "select master_key_id from identity.data_key
         union all select master_key_id from tenancy.data_key",
    )
    .fetch_all(&mut lab.database.superuser().await)
    .await
    .unwrap()
}

/// Design §9. Another master key takes the place of the old one under two processes that serve:
/// interrupted half-way and taken up again, with a clinic made meanwhile; then the new one alone
/// opens everything, the logins of the servers are what they were, and the old one opens nothing.
#[tokio::test]
async fn another_master_key_takes_over_while_servers_serve() {
    let lab = Lab::apart(|_| ()).await;
    let dir = Folder::new();
    let serving = Arc::new(folder(dir.path(), DRAWN));
    let env = &lab.app.env;
    sqlx::query("delete from identity.data_key")
        .execute(&mut lab.database.superuser().await)
        .await
        .unwrap();
    let open = async |master: Arc<MasterKeys>| keys::open(&lab.app.db, env, master).await;
    keys::make_logins(dir.path(), env, serving.as_ref())
        .await
        .unwrap();
    let keys: Keys = open(Arc::clone(&serving)).await.unwrap();
    let before = keys.locator("login", "ada");
    let old_id = serving.newest().await.unwrap();
    let operator = Operator::new(&lab.app.db, env, &keys);
    for name in ["Juniper Clinic", "Harbor Clinic", "Cedar Clinic"] {
        lab.clinic(name).await;
    }
    operator.ensure_data_keys().await.unwrap();
    assert_eq!(masters(&lab).await, vec![old_id.clone(); 4]);

    let next = dir.path().join(keys::NEXT);
    keys::make_master(&next, &MasterKey::random(env)).unwrap();
    let new_id = serving.newest().await.unwrap();
    assert_ne!(new_id, old_id);
    // A process that read the folder before the next key was there, and meets a row under it.
    let late = MasterKeys::load(dir.path()).unwrap();
    assert_eq!(operator.rewrap_data_keys().await.unwrap(), 4);
    assert_eq!(operator.rewrap_data_keys().await.unwrap(), 0, "repeatable");
    lab.clinic("Late Clinic").await;
    operator.ensure_data_keys().await.unwrap();
    assert_eq!(masters(&lab).await, vec![new_id.clone(); 5]);
    assert!(keys::rewrap_logins(dir.path(), env, &late).await.unwrap());
    assert!(keys::promote(dir.path()).unwrap());
    assert!(!keys::promote(dir.path()).unwrap(), "repeatable");

    let locator = |keys: &Keys| -> Uuid { keys.locator("login", "ada") };
    assert_eq!(locator(&open(Arc::clone(&serving)).await.unwrap()), before);
    std::fs::remove_file(dir.path().join(keys::PREVIOUS)).unwrap();
    let restarted = Arc::new(MasterKeys::load(dir.path()).unwrap());
    let reopened = open(Arc::clone(&restarted)).await.unwrap();
    assert_eq!(locator(&reopened), before);
    keys::logins(dir.path(), restarted.as_ref()).await.unwrap();
    let old = Arc::new(MasterKeys::only(MasterKey::from_bytes(DRAWN)));
    assert!(open(Arc::clone(&old)).await.is_err());
    assert!(keys::logins(dir.path(), old.as_ref()).await.is_err());
}
