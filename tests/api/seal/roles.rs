use crate::lab::cluster;

#[tokio::test]
async fn the_lab_starts() {
    let shared = cluster::shared().await;
    for role in lanyard::db::migrate::LOGINS {
        shared.login(role).await;
    }
    let own = cluster::fresh().await;
    own.superuser().await;
    shared
        .open(&lanyard::env::Env::system(), 4)
        .await
        .close()
        .await;
}
