//! Each cause is told once, to exactly those whom it concerns, by the ids that they know.

use serde_json::{Value, json};

use super::{Ear, Stage, event, head, kind};
use crate::oidc::Client;

const ELSEWHERE: &str = "https://elsewhere.example.test";

struct Cast {
    stage: Stage,
    own: Client,
    others: Client,
    all: Client,
    all_elsewhere: Client,
    client: Client,
    access: Value,
    access_there: Value,
}

impl Cast {
    async fn new() -> Self {
        let stage = Stage::new().await;
        let client = stage.world.web().await;
        let browser = stage.world.lab.browser();
        let (access, _) = stage
            .tokens_at(&stage.world.clinic, &browser, &client)
            .await;
        let (access_there, _) = stage.tokens_at(&stage.other, &browser, &client).await;
        assert_ne!(access["sid"], access_there["sid"]);
        Self {
            own: stage.resource(stage.world.clinic.id, None).await,
            others: stage.resource(stage.other.id, None).await,
            all: stage.platforms().await,
            all_elsewhere: stage
                .resource(lanyard::ids::TenantId::PLATFORM, Some(ELSEWHERE))
                .await,
            stage,
            client,
            access,
            access_there,
        }
    }

    fn subscribers(&self) -> [&Client; 4] {
        [&self.own, &self.others, &self.all, &self.all_elsewhere]
    }

    /// What each of the subscribers is told of what this statement does.
    async fn told_of(&self, statement: &str) -> [Vec<Value>; 4] {
        let lab = &self.stage.world.lab;
        let before = head(lab).await;
        self.stage.sql(statement).await;
        let after = head(lab).await;
        let mut told = Vec::new();
        for client in self.subscribers() {
            let mut ear = Ear::at(lab, client, Some(before)).await;
            let sets = ear.sets_until(lab, after).await;
            told.push(sets.into_iter().map(|(_, set)| set).collect::<Vec<_>>());
        }
        told.try_into().unwrap()
    }
}

fn kinds(told: &[Vec<Value>; 4]) -> [Vec<String>; 4] {
    told.each_ref()
        .map(|sets| sets.iter().map(kind).collect::<Vec<_>>())
}

/// Brief, "Revocation": session, family, account, membership, roles, credential, tenant, role,
/// key, each by whatever statement makes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_cause_is_told_once_to_exactly_those_whom_it_concerns() {
    let cast = Cast::new().await;
    let world = &cast.stage.world;
    let (account, tenant, subject) = (world.person.account, world.clinic.id, world.subject);
    let of_account = format!("where account_id = '{account}'");
    let of_member = format!("where tenant_id = '{tenant}' and subject_id = '{subject}'");
    let none: &[&str] = &[];
    let table: &[(&str, String, [&[&str]; 4])] = &[
        (
            "a family",
            format!(
                "update identity.token_family set ended_at = now(), end_reason = 'revoked'
                 {of_member}"
            ),
            [&["family-revoked"], none, &["family-revoked"], none],
        ),
        (
            "the credentials of an account",
            format!("update identity.account set password_epoch = password_epoch + 1 {of_account}"),
            [
                &["account-revoked"],
                &["account-revoked"],
                &["account-revoked", "account-revoked"],
                &["account-revoked", "account-revoked"],
            ],
        ),
        (
            "a password",
            format!("update identity.password set changed_at = now() {of_account}"),
            [
                &["credential-change"],
                &["credential-change"],
                &["credential-change", "credential-change"],
                &["credential-change", "credential-change"],
            ],
        ),
        (
            "a session",
            format!(
                "update identity.session set ended_at = now(), end_reason = 'signed_out'
                 {of_account}"
            ),
            [
                &["session-revoked"],
                &["session-revoked"],
                &["session-revoked", "session-revoked"],
                &["session-revoked", "session-revoked"],
            ],
        ),
        (
            "roles, in two statements",
            format!(
                "begin;
                 delete from identity.membership_role {of_member};
                 insert into identity.membership_role (tenant_id, subject_id, role)
                   select '{tenant}', '{subject}', unnest(array['nurse', 'executive']);
                 commit"
            ),
            [
                &["membership-changed"],
                none,
                &["membership-changed"],
                &["membership-changed"],
            ],
        ),
        (
            "an impersonation, and one that never began",
            format!(
                "begin;
                 set local session_replication_role = replica;
                 create temp table grants on commit drop as
                   select gen_random_uuid() as id, began from unnest(array[now(), null]) began;
                 insert into identity.impersonation (tenant_id, impersonation_id, subject_id,
                     account_id, actor_id, actor_account_id, actor_name, client_id, reason,
                     ticket, preset, minutes, rule, state, requested_at, start_by, approved_at,
                     started_at, ends_at, actor_session_id)
                   select '{tenant}', id, '{subject}', '{account}', id, id, 'Sam', 'support',
                     'to see what she sees', 'T-1', 'read-only', 10, 'allowed',
                     case when began is null then 'approved' else 'active' end, now(),
                     now() + interval '1 minute', now(), began, began + interval '10 minutes',
                     case when began is not null then id end
                   from grants;
                 set local session_replication_role = origin;
                 update identity.impersonation
                   set state = 'ended', ended_at = now(), end_reason = 'stopped_by_actor'
                   {of_member};
                 commit"
            ),
            [
                &["impersonation-ended"],
                none,
                &["impersonation-ended"],
                &["impersonation-ended"],
            ],
        ),
        (
            "a session, in one clinic",
            format!("update identity.tenant_session set ended_at = now() {of_member}"),
            [
                &["session-revoked"],
                none,
                &["session-revoked"],
                &["session-revoked"],
            ],
        ),
        (
            "all sessions of a clinic",
            format!(
                "insert into identity.sessions_end (tenant_id, order_id, ended_at, reason)
                 values ('{tenant}', gen_random_uuid(), now(), 'incident')"
            ),
            [
                &["tenant-revoked"],
                none,
                &["tenant-revoked"],
                &["tenant-revoked"],
            ],
        ),
        (
            "a membership",
            format!("update identity.membership set status = 'suspended' {of_member}"),
            [
                &["membership-revoked"],
                none,
                &["membership-revoked"],
                &["membership-revoked"],
            ],
        ),
        (
            "a clinic",
            format!("update tenancy.tenant set status = 'suspended' where tenant_id = '{tenant}'"),
            [
                &["tenant-revoked"],
                none,
                &["tenant-revoked"],
                &["tenant-revoked"],
            ],
        ),
        (
            "a clinic again",
            format!("update tenancy.tenant set status = 'active' where tenant_id = '{tenant}'"),
            [
                &["tenant-resumed"],
                none,
                &["tenant-resumed"],
                &["tenant-resumed"],
            ],
        ),
        (
            "a role",
            "delete from identity.role_permission
             where role = 'executive' and permission = 'tenancy.clinic.read'"
                .to_owned(),
            [&["role-changed"]; 4],
        ),
        (
            "what ends nothing",
            format!(
                "update identity.session set active_at = now() {of_account};
                 update identity.token_family set sealed_until = null {of_member};
                 update identity.account set display_name = 'Ada Q.' {of_account};
                 update identity.membership set status = 'active' {of_member};
                 update tenancy.tenant set name = 'J' where tenant_id = '{tenant}'"
            ),
            [none; 4],
        ),
    ];
    for (cause, statement, expected) in table {
        let told = cast.told_of(statement).await;
        assert_eq!(kinds(&told), expected.map(<[&str]>::to_vec), "{cause}");
    }
}

/// A key is told of by another key, to everybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawn_key_is_told_by_another() {
    let cast = Cast::new().await;
    let lab = &cast.stage.world.lab;
    let withdrawn = {
        let ring = lab.app.ring();
        ring.current(lanyard::signing::Alg::Es256).kid().to_owned()
    };
    let mut ear = Ear::now(lab, &cast.own).await;
    lab.app.ring_keeper().revoke(&withdrawn).await.unwrap();
    // Opened by the keys of now, among which it is no more.
    let (_, set) = ear.set(lab).await;
    assert_eq!(kind(&set), "key-revoked");
    assert_eq!(event(&set)["kid"], withdrawn);
    assert!(lab.app.ring().find(&withdrawn).is_none());
}

/// Design §2, §6: what joins two clinics' tokens to one person is in no clinic's events.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clinic_hears_its_own_ids_alone() {
    let cast = Cast::new().await;
    let world = &cast.stage.world;
    let [own, others, all, _] = cast
        .told_of(&format!(
            "update identity.session set ended_at = now(), end_reason = 'signed_out'
             where account_id = '{}'",
            world.person.account
        ))
        .await;
    let (here, there) = (&cast.access, &cast.access_there);
    for (told, tokens, foreign) in [(&own, here, there), (&others, there, here)] {
        let [set] = &told[..] else { panic!("{told:?}") };
        let expected = json!({
            "format": "complex",
            "tenant": { "format": "opaque", "id": tokens["tid"] },
            "user": { "format": "iss_sub", "iss": world.lab.issuer(), "sub": tokens["sub"] },
            "session": { "format": "opaque", "id": tokens["sid"] },
        });
        assert_eq!(set["sub_id"], expected);
        assert_eq!(set["aud"], lanyard::api::audience(&world.lab.app));
        assert_eq!(set["iss"], world.lab.issuer());
        let says = event(set);
        assert_eq!(says["reason_admin"], json!({ "en": "signed_out" }));
        assert!(says["issued_until"].as_i64() >= tokens["iat"].as_i64());
        let text = set.to_string();
        for name in ["tid", "sub", "sid"] {
            assert!(!text.contains(foreign[name].as_str().unwrap()), "{text}");
        }
        for id in [world.person.account.to_string(), cast.client.id.clone()] {
            assert!(!text.contains(&id), "{text}");
        }
    }
    assert_ne!(own[0]["jti"], others[0]["jti"]);
    assert_eq!(all.len(), 2, "one for each clinic");
}
