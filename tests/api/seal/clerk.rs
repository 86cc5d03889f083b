//! The clerk's functions are a door of their own: they take a context and a list as arguments, and
//! what they see is what that context vouches for (design §3; docs/decisions/0020).

use super::attacker::{Attacker, Forge, Said};
use super::planted::{Owner, planted};

const OWN: &str = "current_setting('lanyard.context')";

/// Who a call says that it is for, and whose rows it names.
#[derive(Clone, Debug)]
struct Called {
    context: String,
    tenants: String,
    members: [String; 2],
    family: String,
    code: String,
    session: String,
}

impl Called {
    /// For `owner`'s first member, of her own rows, under `context`.
    fn of(owner: Owner, context: &str) -> Self {
        let listed = |id: String| format!("{{{id}}}");
        Self {
            context: context.to_owned(),
            tenants: listed(owner.tenant()),
            members: ["account_id", "subject_id"].map(|column| listed(owner.id(column, 1))),
            family: owner.id("family_id", 1),
            code: owner.id("code_id", 1),
            session: owner.id("session_id", 1),
        }
    }

    fn under(&self, context: &str) -> Self {
        Self {
            context: context.to_owned(),
            ..self.clone()
        }
    }

    /// What a server seals for [`Self::reads`].
    fn presented(&self) -> Said {
        let nobody = "{}".to_owned();
        Said::listed("bundle", &[self.tenants.clone(), nobody.clone(), nobody])
    }

    /// What a server seals for [`Self::writes`].
    fn proved(&self) -> Said {
        let [accounts, subjects] = self.members.clone();
        Said::listed("bundle", &[self.tenants.clone(), accounts, subjects])
    }

    /// What a server seals for [`Self::claims`].
    fn claimed(&self) -> Said {
        Said::listed("claims", &[format!("{{{}}}", self.session)])
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

    /// Of values that are presented in a tenant.
    fn reads(&self) -> [String; 2] {
        let Self {
            context,
            tenants,
            code,
            ..
        } = self;
        let redemption = format!(
            "select f::text from clerk.redemption_facts({context}, '{tenants}',
               array['{code}'::uuid], array['{}'::uuid], array['planted'], now()) f",
            Owner::A.tenant()
        );
        [self.facts(), redemption]
    }

    /// Of a session that a cookie names, for a clinic of hers and for one that is asked for.
    fn claims(&self) -> [String; 2] {
        let Self {
            context, session, ..
        } = self;
        let asked = |wanted: &str| {
            format!(
                "select f::text from clerk.authorization_facts({context}, array['{session}'::uuid],
                   array['{}'::uuid], array['planted'], array[{wanted}]::uuid[],
                   array[null]::text[]) f",
                Owner::A.tenant()
            )
        };
        [asked("null"), asked(&format!("'{}'", Owner::B.tenant()))]
    }

    /// Of what is given to a member.
    fn writes(&self) -> [String; 3] {
        let Self {
            context,
            tenants,
            family,
            code,
            session,
            members: [accounts, subjects],
        } = self;
        let of = format!("{context}, '{tenants}', '{accounts}', '{subjects}'");
        let event = "array[gen_random_uuid()], array['{}'::jsonb], array[sha256('m')]";
        [
            format!(
                "select clerk.rotate({of},
                   array['{family}'::uuid], array['{session}'::uuid], array[1::bigint],
                   array[now()], array[sha256('n')], array[sha256('a')],
                   array[now()], array[0::smallint],
                   array[substr(sha256('s') || sha256('s'), 1, 60)],
                   array[1], array[now()], array[sha256('t')], {event})"
            ),
            format!(
                "select clerk.redeem({of},
                   array['{code}'::uuid], array['{session}'::uuid], array[gen_random_uuid()],
                   array[now() + interval '1 hour'], array[now()], array[sha256('t')], {event})"
            ),
            format!(
                "select clerk.give_codes({of}, array['{session}'::uuid],
                   array[gen_random_uuid()], array[sha256('c')], array['planted'],
                   array['https://app.example.test'], array[null]::text[], array[null]::text[],
                   array['openid'], array['api'], array[now()], array[now()], {event})"
            ),
        ]
    }

    /// Every door there is.
    fn all(&self) -> Vec<String> {
        let doors = [
            self.reads().to_vec(),
            self.claims().to_vec(),
            self.writes().to_vec(),
        ];
        doors.concat()
    }
}

/// A transaction's own context, whatever class it has, opens nothing: not even its own clinic.
#[tokio::test]
async fn the_clerk_takes_no_context_of_a_transaction() {
    let mut attacker = Attacker::new("lanyard_identity", Some(Said::member("grant"))).await;
    for owner in [Owner::A, Owner::B] {
        for called in Called::of(owner, OWN).all() {
            let by_hand = ["opened", "claimed", "held"].map(|setting| {
                let (tenant, session) = (Owner::B.tenant(), Owner::B.id("session_id", 1));
                format!("set local lanyard.{setting} = '{{{tenant},{session}}}'")
            });
            for statement in [called.clone(), format!("{}; {called}", by_hand.join("; "))] {
                let answer = attacker.harmless(&[&statement]);
                assert_eq!(answer.state(), "42501", "{statement}: {answer:?}");
            }
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
            code: Owner::B.id("code_id", n),
            session: Owner::B.id("session_id", n),
            ..own.clone()
        };
        let [rotate, redeem, give] = foreign.under(&writes).writes();
        for statement in [foreign.under(&reads).reads().to_vec(), vec![rotate, redeem]].concat() {
            let answer = attacker.harmless(&[&statement]);
            assert_eq!(answer.errors, Vec::new(), "{statement}");
            let given: Vec<_> = answer.rows.iter().flatten().flatten().collect();
            assert!(given.iter().all(|value| *value == "{}"), "{answer:?}");
        }
        // A's clinic has seen no such session.
        let answer = attacker.harmless(&[&give]);
        assert_eq!(answer.state(), "23503", "{answer:?}");
    }
}

/// Claims on A's session show nothing of B's, not even when B's clinic is asked for; and no other
/// session than the one that is claimed.
#[tokio::test]
async fn the_clerk_gives_nothing_of_another_tenants_to_a_claim_of_ones_own() {
    let forge = Forge::registered(planted().await, 7, "1 hour");
    let mut attacker = Attacker::new("lanyard_identity", Some(Said::member("grant"))).await;
    let own = Called::of(Owner::A, "");
    let context = format!("'{}'", forge.seal(&own.claimed(), 50));
    let [_, of_another] = own.under(&context).claims();
    let answer = attacker.harmless(&[&of_another]);
    assert_eq!(answer.errors, Vec::new(), "{of_another}");
    assert_eq!(answer.rows.len(), 0, "{answer:?}");
    for n in 1..=3 {
        let foreign = Called {
            session: Owner::B.id("session_id", n),
            ..own.under(&context)
        };
        for statement in foreign.claims() {
            let answer = attacker.harmless(&[&statement]);
            assert_eq!(answer.state(), "42501", "{statement}: {answer:?}");
        }
    }
    // Claims are no bundle, and a bundle is no claim.
    let bundle = format!("'{}'", forge.seal(&own.presented(), 50));
    let swapped = [own.under(&context).reads(), own.under(&bundle).claims()];
    for statement in swapped.as_flattened() {
        assert_eq!(attacker.harmless(&[statement]).state(), "42501");
    }
}

/// What the clerk puts down for itself opens nothing to anybody else.
#[tokio::test]
async fn what_the_clerk_has_opened_opens_nothing_to_a_serving_role() {
    let ids = [
        Owner::B.tenant(),
        Owner::B.id("session_id", 1),
        Owner::B.id("account_id", 1),
    ];
    let opened = ["opened", "claimed"].map(|setting| {
        let ids = ids.join(",");
        format!("set local lanyard.{setting} = '{{{ids}}}'")
    });
    let opened = opened.join("; ");
    for mut attacker in Attacker::all().await {
        for table in [
            "token_family",
            "authorization_code",
            "membership",
            "session",
            "account",
            "totp",
            "client_secret",
        ] {
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
        for inner in [
            "select clerk.open('x', '{}', '{}', '{}')",
            "select clerk.open_claims('x', '{}')",
            "select clerk.roles_and_limits(gen_random_uuid(), gen_random_uuid(), '')",
        ] {
            assert_eq!(attacker.harmless(&[inner]).state(), "42501");
        }
        if attacker.role != "lanyard_identity" {
            for statement in called.all() {
                let answer = attacker.harmless(&[&statement]);
                assert_eq!(answer.state(), "42501", "{}", attacker.role);
            }
        }
    }
}
