//! The clerk's functions are a door of their own: they take a context and a list as arguments, and
//! what they see is what that context vouches for (design §3; docs/decisions/0020).

use super::attacker::{Attacker, Forge, Said};
use super::planted::{Owner, planted};

const OWN: &str = "current_setting('lanyard.context')";

/// Who a call says that it is for, and which family it names.
#[derive(Clone, Debug)]
struct Called {
    context: String,
    tenants: String,
    members: [String; 2],
    family: String,
    session: String,
}

impl Called {
    /// For `owner`'s first member, of her own family, under `context`.
    fn of(owner: Owner, context: &str) -> Self {
        let listed = |id: String| format!("{{{id}}}");
        Self {
            context: context.to_owned(),
            tenants: listed(owner.tenant()),
            members: ["account_id", "subject_id"].map(|column| listed(owner.id(column, 1))),
            family: owner.id("family_id", 1),
            session: owner.id("session_id", 1),
        }
    }

    /// What a server seals for [`Self::facts`].
    fn presented(&self) -> Said {
        Said::bundle(&[self.tenants.clone(), "{}".to_owned(), "{}".to_owned()])
    }

    /// What a server seals for [`Self::rotate`].
    fn proved(&self) -> Said {
        let [accounts, subjects] = self.members.clone();
        Said::bundle(&[self.tenants.clone(), accounts, subjects])
    }

    fn facts(&self) -> String {
        let Self {
            context,
            tenants,
            family,
            ..
        } = self;
        format!(
            "select f::text from clerk.rotation_facts({context}, '{tenants}',
               array['{family}'::uuid], array[0::bigint], array['{}'::uuid], array['planted'],
               now()) f",
            Owner::A.tenant()
        )
    }

    fn rotate(&self) -> String {
        let Self {
            context,
            tenants,
            family,
            session,
            members: [accounts, subjects],
        } = self;
        format!(
            "select clerk.rotate({context}, '{tenants}', '{accounts}', '{subjects}',
               array['{family}'::uuid], array['{session}'::uuid], array[1::bigint],
               array[now()], array[sha256('n')], array[sha256('a')],
               array[now()], array[0::smallint], array[substr(sha256('s') || sha256('s'), 1, 60)],
               array[1], array[now()], array[sha256('t')], array[gen_random_uuid()],
               array['{{}}'::jsonb], array[sha256('m')])"
        )
    }
}

/// A transaction's own context, whatever class it has, opens nothing: not even its own clinic.
#[tokio::test]
async fn the_clerk_takes_no_context_of_a_transaction() {
    let mut attacker = Attacker::new("lanyard_identity", Some(Said::member("grant"))).await;
    for owner in [Owner::A, Owner::B] {
        let called = Called::of(owner, OWN);
        for statement in [
            called.facts(),
            called.rotate(),
            format!(
                "set local lanyard.opened = '{}'; {}",
                Owner::B.tenant(),
                called.facts()
            ),
        ] {
            let answer = attacker.harmless(&[&statement]);
            assert_eq!(answer.state(), "42501", "{statement}: {answer:?}");
        }
    }
}

/// A bundle sealed for A shows and moves nothing of B's, whichever of B's ids is named beside it.
#[tokio::test]
async fn the_clerk_gives_nothing_of_another_tenants_to_a_bundle_of_ones_own() {
    let forge = Forge::registered(planted().await, 6, "1 hour");
    let mut attacker = Attacker::new("lanyard_identity", Some(Said::member("grant"))).await;
    let own = Called::of(Owner::A, "");
    let reads = format!("'{}'", forge.seal(&own.presented(), 50));
    let writes = format!("'{}'", forge.seal(&own.proved(), 50));
    for n in 1..=3 {
        let foreign = Called {
            family: Owner::B.id("family_id", n),
            session: Owner::B.id("session_id", n),
            ..own.clone()
        };
        for statement in [
            Called {
                context: reads.clone(),
                ..foreign.clone()
            }
            .facts(),
            Called {
                context: writes.clone(),
                ..foreign.clone()
            }
            .rotate(),
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
    let opened = format!("set local lanyard.opened = '{}'", Owner::B.tenant());
    for mut attacker in Attacker::all().await {
        for table in ["token_family", "membership", "session", "client_secret"] {
            attacker.harmless(&[&opened, &format!("select t::text from identity.{table} t")]);
        }
        let tenants = "select t::text from tenancy.tenant t";
        attacker.harmless(&[&opened, tenants]);
    }
}

/// A context that is forged, over, of another class, or of another list than the one beside it
/// opens nothing.
#[tokio::test]
async fn the_clerk_refuses_every_context_that_is_not_of_its_list() {
    let forge = Forge::registered(planted().await, 5, "1 hour");
    let mut attacker = Attacker::new("lanyard_identity", Some(Said::member("grant"))).await;
    let own = Called::of(Owner::A, "");
    let listed = own.presented();
    let good = forge.seal(&listed, 50);
    let of_class = |class| Said {
        class,
        ..listed.clone()
    };
    let last = if good.ends_with('0') { "1" } else { "0" };
    let forged = format!("{}{last}", &good[..good.len() - 1]);
    for bad in [
        String::new(),
        forged,
        forge.seal(&listed, -1),
        forge.seal(&of_class("grant"), 50),
        forge.seal(&of_class("job"), 50),
        forge.seal(
            &Said {
                purpose: String::new(),
                ..listed.clone()
            },
            50,
        ),
        forge.seal(&own.proved(), 50),
        forge.seal(&Called::of(Owner::B, "").presented(), 50),
    ] {
        let called = Called {
            context: format!("'{bad}'"),
            ..own.clone()
        };
        let answer = attacker.harmless(&[&called.facts()]);
        assert_eq!(answer.state(), "42501", "{bad}: {answer:?}");
    }
    // Another list beside the good one, and none at all.
    let (a, b) = (Owner::A.tenant(), Owner::B.tenant());
    for tenants in [format!("{{{b}}}"), format!("{{{a},{b}}}"), "{}".to_owned()] {
        let called = Called {
            context: format!("'{good}'"),
            tenants,
            ..own.clone()
        };
        let answer = attacker.harmless(&[&called.facts()]);
        assert_eq!(answer.state(), "42501", "{called:?}: {answer:?}");
    }
    let nobody = Called {
        context: "null".to_owned(),
        ..own.clone()
    };
    assert_eq!(attacker.harmless(&[&nobody.facts()]).state(), "42501");
    let listed = Called {
        context: format!("'{good}'"),
        ..own.clone()
    };
    let unlisted = listed
        .facts()
        .replacen(&format!("'{}'", own.tenants), "null", 1);
    assert_eq!(
        attacker.harmless(&[&unlisted]).state(),
        "42501",
        "{unlisted}"
    );
}

/// The functions are the identity plane's alone, and the room behind them nobody's.
#[tokio::test]
async fn nobody_but_the_identity_plane_calls_the_clerk() {
    let called = Called::of(Owner::A, OWN);
    for mut attacker in Attacker::all().await {
        let inner = "select clerk.open('x', '{}', '{}', '{}')";
        assert_eq!(attacker.harmless(&[inner]).state(), "42501");
        if attacker.role != "lanyard_identity" {
            let answer = attacker.harmless(&[&called.facts()]);
            assert_eq!(answer.state(), "42501", "{}", attacker.role);
        }
    }
}
