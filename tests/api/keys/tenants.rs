//! Clinics' data keys, and who sees which.

use lanyard::cli::Operator;
use lanyard::tenancy::TenantStatus;
use lanyard::tenancy::service::DestroyOutcome;

use crate::lab::Lab;

/// Design §9, RLS-34: a clinic's plane does not see identity's key, nor identity a clinic's, nor
/// the apps' anything; and what they do see is nothing without a sealed context, and ciphertext
/// with it.
#[tokio::test]
async fn no_plane_sees_the_keys_of_another() {
    let lab = Lab::apart(|_| ()).await;
    for (role, table) in [
        ("lanyard_tenant", "identity.data_key"),
        ("lanyard_platform", "identity.data_key"),
        ("lanyard_apps", "identity.data_key"),
        ("lanyard_keeper", "identity.data_key"),
        ("lanyard_identity", "tenancy.data_key"),
        ("lanyard_apps", "tenancy.data_key"),
        ("lanyard_keeper", "tenancy.data_key"),
        // Its own, but without a context.
        ("lanyard_identity", "identity.data_key"),
        ("lanyard_tenant", "tenancy.data_key"),
    ] {
        let mut login = lab.database.login(role).await;
        let statement = format!("select count(*) from {table}");
        let outcome = sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut login)
            .await;
        let refused = outcome.expect_err(table);
        let code = refused
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code);
        assert_eq!(code.as_deref(), Some("42501"), "{role} {table}: {refused}");
    }
}

/// A clinic's data is destroyed for good, once, only when nobody is served there, and on the
/// record.
#[tokio::test]
async fn a_destroyed_key_is_never_made_again() {
    let lab = Lab::apart(|_| ()).await;
    let clinic = lab.clinic("Juniper Clinic").await;
    let app = &lab.app;
    let operator = Operator::new(&app.db, &app.env, &app.keys);
    operator.ensure_data_keys().await.unwrap();
    let destroy = async || operator.destroy_tenant_data(&clinic.slug).await.unwrap();
    let wrapped = async || {
        let row: Option<Vec<u8>> =
            sqlx::query_scalar("select wrapped from tenancy.data_key where tenant_id = $1")
                .bind(clinic.id)
                .fetch_one(&mut lab.database.superuser().await)
                .await
                .unwrap();
        row
    };
    assert_eq!(destroy().await, DestroyOutcome::Served);
    assert!(wrapped().await.is_some());
    let status = TenantStatus::Suspended;
    operator
        .set_tenant_status(&clinic.slug, status)
        .await
        .unwrap();
    assert_eq!(destroy().await, DestroyOutcome::Destroyed(clinic.id));
    operator.ensure_data_keys().await.unwrap();
    assert_eq!(wrapped().await, None);
    assert_eq!(destroy().await, DestroyOutcome::Already(clinic.id));
    let events = lab.events_in(clinic.id).await;
    let destroyed = events.iter().filter(|e| e.kind == "tenant.data_destroyed");
    assert_eq!(destroyed.count(), 1);
}
