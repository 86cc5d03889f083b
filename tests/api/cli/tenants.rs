//! Making and suspending clinics.

use lanyard::ids::TenantId;
use lanyard::tenancy::service::{CreateOutcome, StatusOutcome};
use lanyard::tenancy::{Slug, TenantStatus};

use super::{Desk, clinic};

#[tokio::test]
async fn a_clinic_is_made_once_and_its_log_begins_with_that() {
    let desk = Desk::open().await;
    let id = desk.clinic("juniper").await;
    let again = desk
        .operator()
        .create_tenant(&clinic("juniper"))
        .await
        .unwrap();
    assert_eq!(again, CreateOutcome::SlugTaken);
    assert_eq!(desk.events(id).await, ["tenant.created"]);
    assert_eq!(
        desk.operator()
            .find_tenant("juniper")
            .await
            .unwrap()
            .unwrap()
            .id,
        id
    );
}

#[tokio::test]
async fn a_clinic_is_suspended_and_served_again() {
    let desk = Desk::open().await;
    let id = desk.clinic("juniper").await;
    let set = async |slug: &str, status| {
        desk.operator()
            .set_tenant_status(slug, status)
            .await
            .unwrap()
    };
    assert_eq!(
        set("juniper", TenantStatus::Suspended).await,
        StatusOutcome::Changed(id)
    );
    assert_eq!(
        set("juniper", TenantStatus::Suspended).await,
        StatusOutcome::Already(id)
    );
    assert_eq!(
        set("juniper", TenantStatus::Active).await,
        StatusOutcome::Changed(id)
    );
    assert_eq!(
        set("nobody", TenantStatus::Suspended).await,
        StatusOutcome::Unknown
    );
    let events = ["tenant.created", "tenant.suspended", "tenant.resumed"];
    assert_eq!(desk.events(id).await, events);
}

#[tokio::test]
async fn the_platforms_own_tenant_is_there_once_and_stays() {
    let desk = Desk::open().await;
    desk.operator().ensure_platform().await.unwrap();
    assert_eq!(desk.events(TenantId::PLATFORM).await, ["tenant.created"]);
    let refused = desk
        .operator()
        .set_tenant_status("platform", TenantStatus::Suspended)
        .await;
    assert_eq!(refused.unwrap(), StatusOutcome::Reserved);
}

/// A slug is a host label; one of ours, or one shown as other letters, would be a disguise.
#[test]
fn a_slug_can_not_pass_for_another_host() {
    for good in ["juniper", "st-mary", "abc", "a1b"] {
        assert!(Slug::parse(good).is_ok(), "{good}");
    }
    let bad = [
        "",
        "ab",
        "Juniper",
        "1st",
        "-ab",
        "ab-",
        "xn--80ak6aa92e",
        "a.b",
        "a_b",
        "jun\u{ed}per",
        "platform",
        "admin",
        "www",
    ];
    for bad in bad {
        assert!(Slug::parse(bad).is_err(), "{bad}");
    }
}
