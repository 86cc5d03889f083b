use crate::lab::cluster;

#[tokio::test]
async fn the_lab_starts() {
    let shared = cluster::shared().await;
    for role in lanyard::db::migrate::LOGINS {
        shared.login(role).await;
    }
    let own = cluster::fresh().await;
    own.superuser().await;
    let env = lanyard::env::Env::system();
    let db = shared.open(&env, 4).await;
    for _ in 0..3 {
        db.ready().await.unwrap();
    }
    db.renew_seal_key(&env).await.unwrap();
    db.ready().await.unwrap();
    db.close().await;
}
