//! Accounts and memberships as an operator makes and mends them.

use lanyard::identity::model::{AccountOutcome, MembershipOutcome, NewAccount, NewMembership};
use lanyard::identity::{AccountName, Login};
use lanyard::ids::{AccountId, TenantId};

use super::Desk;

/// The shape of a PHC string; nobody signs in with it here.
const PHC: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$\
                   ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0MTI";

fn ada() -> NewAccount {
    NewAccount {
        login: Login::parse("Ada@juniper.example").unwrap(),
        name: AccountName::parse("Ada Byron").unwrap(),
    }
}

fn member(tenant: TenantId, account: AccountId, role: &str) -> NewMembership {
    let name = AccountName::parse("Ada Byron").unwrap();
    NewMembership {
        tenant,
        account,
        name,
        roles: vec![role.to_owned()],
    }
}

async fn created(desk: &Desk) -> AccountId {
    match desk.operator().create_account(&ada(), PHC).await.unwrap() {
        AccountOutcome::Created(id) => id,
        AccountOutcome::LoginTaken => panic!("a fresh database"),
    }
}

#[tokio::test]
async fn a_login_belongs_to_one_account_however_it_is_typed() {
    let desk = Desk::open().await;
    let id = created(&desk).await;
    let shouted = NewAccount {
        login: Login::parse("ADA@JUNIPER.EXAMPLE").unwrap(),
        ..ada()
    };
    let again = desk.operator().create_account(&shouted, PHC).await.unwrap();
    assert_eq!(again, AccountOutcome::LoginTaken);
    let found = desk
        .operator()
        .find_account(&shouted.login)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.id, id);
    // An account stands before any clinic: the platform's log has it.
    assert!(
        desk.events(TenantId::PLATFORM)
            .await
            .contains(&"account.created".to_owned())
    );
}

#[tokio::test]
async fn a_membership_is_made_once_a_clinic_with_roles_of_the_catalog() {
    let desk = Desk::open().await;
    let clinic = desk.clinic("juniper").await;
    let account = created(&desk).await;
    let join = async |tenant, role| {
        let new = member(tenant, account, role);
        desk.operator().create_membership(&new).await.unwrap()
    };
    assert!(matches!(
        join(clinic, "wizard").await,
        MembershipOutcome::NoSuchRole { .. }
    ));
    assert!(matches!(
        join(clinic, "super_admin").await,
        MembershipOutcome::NoSuchRole { .. }
    ));
    assert!(matches!(
        join(clinic, "clinician").await,
        MembershipOutcome::Created(_)
    ));
    assert_eq!(
        join(clinic, "nurse").await,
        MembershipOutcome::AlreadyMember
    );
    assert_eq!(
        desk.events(clinic).await,
        ["tenant.created", "membership.created"]
    );
    assert!(!desk.operator().has_administrator().await.unwrap());
    let staff = join(TenantId::PLATFORM, "super_admin").await;
    assert!(matches!(staff, MembershipOutcome::Created(_)));
    assert!(desk.operator().has_administrator().await.unwrap());
}

/// Design §11: a password change is never undone, and what was issued before it is dead.
#[tokio::test]
async fn a_recovered_account_starts_a_new_epoch() {
    let desk = Desk::open().await;
    let account = created(&desk).await;
    let login = ada().login;
    let before = desk.operator().find_account(&login).await.unwrap().unwrap();
    let recovered = desk.operator().recover_account(&login, PHC).await.unwrap();
    assert_eq!(recovered, Some(account));
    let after = desk.operator().find_account(&login).await.unwrap().unwrap();
    assert_eq!(after.password_epoch, before.password_epoch + 1);
    let nobody = Login::parse("nobody@juniper.example").unwrap();
    assert_eq!(
        desk.operator().recover_account(&nobody, PHC).await.unwrap(),
        None
    );
    assert!(
        desk.events(TenantId::PLATFORM)
            .await
            .contains(&"account.recovered".to_owned())
    );
}
