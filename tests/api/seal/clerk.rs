//! The clerk's functions are a door of their own: they take contexts as arguments, and what they
//! see is what those vouch for (design §3; docs/decisions/0020).

use super::attacker::{Attacker, Forge, Said};
use super::planted::{Owner, planted};

fn facts(context: &str, family: &str) -> String {
    format!(
        "select f::text from clerk.rotation_facts(array[{context}], array['{family}'::uuid],
           array[0::bigint], now()) f"
    )
}

fn rotate(context: &str, family: &str, session: &str) -> String {
    format!(
        "select clerk.rotate(array[{context}], array['{family}'::uuid], array['{session}'::uuid],
           array['1 2 3 4 5'], array[1::bigint], array[now()], array[sha256('n')],
           array[sha256('a')], array[now()], array[0::smallint],
           array[substr(sha256('s') || sha256('s'), 1, 60)], array[1], array[now()],
           array[sha256('t')], array[gen_random_uuid()], array['{{}}'::jsonb], array[sha256('m')])"
    )
}

/// A's own context shows and moves nothing of B's, whichever of B's ids is named.
#[tokio::test]
async fn the_clerk_gives_nothing_of_another_tenants_to_a_context_of_ones_own() {
    let mut attacker = Attacker::new("lanyard_identity", Some(Said::member("grant"))).await;
    let own = "current_setting('lanyard.context')";
    for n in 1..=3 {
        let [family, session] = ["family_id", "session_id"].map(|column| Owner::B.id(column, n));
        for statement in [
            facts(own, &family),
            rotate(own, &family, &session),
            format!(
                "set local lanyard.opened = ' {}'; {}",
                Owner::B.tenant(),
                facts(own, &family)
            ),
        ] {
            let answer = attacker.harmless(&[&statement]);
            assert_eq!(answer.errors, Vec::new(), "{statement}");
            let given: Vec<_> = answer.rows.iter().flatten().flatten().collect();
            assert!(given.iter().all(|value| *value == "{}"), "{answer:?}");
        }
    }
}

/// What the clerk puts down for itself opens nothing to anybody else.
#[tokio::test]
async fn what_the_clerk_has_opened_opens_nothing_to_a_serving_role() {
    let opened = format!("set local lanyard.opened = ' {}'", Owner::B.tenant());
    for mut attacker in Attacker::all().await {
        for table in ["token_family", "membership", "session", "client_secret"] {
            attacker.harmless(&[&opened, &format!("select t::text from identity.{table} t")]);
        }
        let tenants = "select t::text from tenancy.tenant t";
        attacker.harmless(&[&opened, tenants]);
    }
}

/// A context that is forged, over, of another class or for no tenant opens nothing, also between
/// good ones.
#[tokio::test]
async fn the_clerk_refuses_every_context_that_is_not_of_a_grant() {
    let forge = Forge::registered(planted().await, 5, "1 hour");
    let mut attacker = Attacker::new("lanyard_identity", Some(Said::member("grant"))).await;
    let family = Owner::A.id("family_id", 1);
    let good = forge.seal(&Said::member("grant"), 50);
    let another = good.replace(&Owner::A.tenant(), &Owner::B.tenant());
    let nowhere = Said {
        tenant: String::new(),
        ..Said::member("grant")
    };
    for bad in [
        String::new(),
        another,
        forge.seal(&Said::member("grant"), -1),
        forge.seal(&Said::member("care_team"), 50),
        forge.seal(&Said::account(Owner::A.id("account_id", 1)), 50),
        forge.seal(&Said::job("administer_accounts"), 50),
        forge.seal(&nowhere, 50),
    ] {
        for contexts in [
            format!("'{bad}'"),
            format!("'{good}', '{bad}'"),
            format!("'{good}', null, '{bad}'"),
        ] {
            let answer = attacker.harmless(&[&facts(&contexts, &family)]);
            assert_eq!(answer.state(), "42501", "{contexts}: {answer:?}");
        }
    }
}

/// The functions are the identity plane's alone, and the room behind them nobody's.
#[tokio::test]
async fn nobody_but_the_identity_plane_calls_the_clerk() {
    let own = "current_setting('lanyard.context')";
    let family = Owner::A.id("family_id", 1);
    for mut attacker in Attacker::all().await {
        let inner = "select clerk.open(array['x'])";
        assert_eq!(attacker.harmless(&[inner]).state(), "42501");
        if attacker.role != "lanyard_identity" {
            let answer = attacker.harmless(&[&facts(own, &family)]);
            assert_eq!(answer.state(), "42501", "{}", attacker.role);
        }
    }
}
