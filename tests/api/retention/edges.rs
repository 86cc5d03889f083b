//! To the second, and never what lives.

use lanyard::retention::service::purge;
use time::Duration;

use super::rows::{KINDS, Yard};
use crate::lab::Lab;

/// Issue 3, "Operations": what is dead goes in its second, and no second before.
#[tokio::test]
async fn what_is_dead_goes_and_what_is_not_yet_stays() {
    let yard = Yard::on(Lab::apart(|_| ()).await).await;
    for off in [-1, 0, 1] {
        yard.plant(Duration::seconds(off)).await;
    }
    yard.assert_each(3).await;
    let gone = purge(&yard.lab.app).await.unwrap();
    assert_eq!(gone.len(), KINDS.len(), "{gone:?}");
    yard.assert_each(2).await;
    assert!(purge(&yard.lab.app).await.unwrap().is_empty(), "twice");

    for left in [1, 0] {
        yard.lab.clock.advance(Duration::SECOND);
        purge(&yard.lab.app).await.unwrap();
        yard.assert_each(left).await;
    }
}

/// Injected SQL may call what purges, and purges nothing: without the sealed job it is an error.
#[tokio::test]
async fn without_the_job_nothing_is_purged() {
    let yard = Yard::on(Lab::apart(|_| ()).await).await;
    yard.plant(Duration::days(-500)).await;
    for (role, function) in [
        ("lanyard_identity", "identity.purge_interactions"),
        ("lanyard_identity", "identity.purge_sessions"),
        ("lanyard_apps", "apps.purge_logins"),
    ] {
        let call = sqlx::AssertSqlSafe(format!("select {function}(now(), 1000)"));
        let asked = sqlx::raw_sql(call)
            .execute(&mut yard.lab.database.login(role).await)
            .await;
        let refusal = asked.expect_err(function);
        let code = refusal.as_database_error().unwrap().code().unwrap();
        assert_eq!(code, "42501", "{function}");
    }
    yard.assert_each(1).await;
}

/// What waits to be delivered is not dead, however old; nor is a sign-in of which something is
/// left in another clinic.
#[tokio::test]
async fn what_waits_stays_and_a_session_goes_last() {
    let yard = Yard::on(Lab::apart(|_| ()).await).await;
    yard.plant(Duration::days(-500)).await;
    let mut boss = yard.lab.database.superuser().await;
    let change = "update outbox.message set delivered_at = null, taken_at = null;
                  delete from identity.refresh_token; delete from identity.token_family;
                  delete from identity.authorization_code";
    crate::lab::cluster::tell(&mut boss, change).await;
    purge(&yard.lab.app).await.unwrap();
    for (table, count) in yard.counts().await {
        assert_eq!(count, i64::from(table == "outbox.message"), "{table}");
    }
}

/// The database's own clock has the last word: a server from next year, or one that is asked to
/// forget the future, deletes nothing that lives.
#[tokio::test]
async fn a_server_whose_clock_runs_ahead_deletes_nothing_that_lives() {
    let yard = Yard::on(Lab::in_real_time(|_| ()).await).await;
    let then = yard.lab.now() - Duration::minutes(50);
    yard.plant_as_of(|_| then).await;
    yard.lab.clock.advance(Duration::days(1000));
    assert!(purge(&yard.lab.app).await.unwrap().is_empty());
    yard.assert_each(1).await;
}
