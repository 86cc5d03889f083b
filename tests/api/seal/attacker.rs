//! Arbitrary SQL in one tenant's transaction, as each serving role.

use std::sync::{Arc, LazyLock};

use lanyard::db::migrate::LOGINS;
use ring::hmac;

use super::planted::{CANARIES, Owner, planted};
use super::wire::{Answer, Wire, hexadecimal};
use crate::lab::cluster::Database;

/// A key of the tests' own, registered as a server registers its own. The MAC is made here a
/// second time, from design §3 and not from the server's code.
#[derive(Debug)]
pub(crate) struct Forge {
    secret: [u8; 32],
    key_id: String,
}

/// What a context says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) class: &'static str,
    pub(crate) tenant: String,
    pub(crate) account: String,
    pub(crate) subject: String,
    pub(crate) actor: String,
    pub(crate) locator: String,
    pub(crate) purpose: String,
    pub(crate) is_read_only: bool,
}

impl Said {
    /// Of `class`, in A, for its first member, to treat.
    pub(super) fn member(class: &'static str) -> Self {
        Self {
            class,
            tenant: Owner::A.tenant(),
            account: Owner::A.id("account_id", 1),
            subject: Owner::A.id("subject_id", 1),
            purpose: "treatment".to_owned(),
            ..Self::default()
        }
    }

    /// For the row of one locator.
    pub(super) fn claim(locator: String) -> Self {
        Self {
            class: "claim",
            locator,
            ..Self::default()
        }
    }

    /// For a person, before any tenant.
    pub(super) fn account(account: String) -> Self {
        Self {
            class: "account",
            account,
            ..Self::default()
        }
    }

    /// Of `class`, for lists, each as Postgres writes an array: of tenants, accounts and subjects
    /// for a bundle, of sessions for claims.
    pub(super) fn listed(class: &'static str, lists: &[String]) -> Self {
        let list = ring::digest::digest(&ring::digest::SHA256, lists.concat().as_bytes());
        Self {
            class,
            purpose: hexadecimal(list.as_ref()),
            ..Self::default()
        }
    }

    /// For a job within A.
    pub(super) fn job(name: &'static str) -> Self {
        Self {
            class: "job",
            purpose: name.to_owned(),
            tenant: Owner::A.tenant(),
            ..Self::default()
        }
    }
}

impl Forge {
    /// Registers a key that lives for `lifetime` (an SQL interval).
    pub(crate) fn registered(database: &Database, key: u8, lifetime: &str) -> Self {
        let forge = Self {
            secret: [key; 32],
            key_id: format!("{:016x}", 0xfeed_0000 + u32::from(key)),
        };
        let pad = |with: u8| -> String {
            let byte = |n: usize| forge.secret.get(n).copied().unwrap_or(0) ^ with;
            hexadecimal(&(0..64).map(byte).collect::<Vec<u8>>())
        };
        let register = format!(
            "select seal.register('{}', '\\x{}', '\\x{}', '{lifetime}')",
            forge.key_id,
            pad(0x36),
            pad(0x5c)
        );
        let answer = Wire::login(database, "lanyard_keeper").ask(&register);
        assert_eq!(answer.errors, Vec::new());
        forge
    }

    /// The forge of all tests on the planted database.
    async fn shared() -> Arc<Self> {
        static SHARED: tokio::sync::OnceCell<Arc<Forge>> = tokio::sync::OnceCell::const_new();
        let made =
            SHARED.get_or_init(async || Arc::new(Self::registered(planted().await, 1, "24 hours")));
        Arc::clone(made.await)
    }

    /// A sealed context that ends `seconds` from now.
    pub(crate) fn seal(&self, said: &Said, seconds: i64) -> String {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let expiry = (i64::try_from(now).unwrap() + seconds).to_string();
        let mode = if said.is_read_only { "ro" } else { "rw" };
        let fields = [
            "1",
            &self.key_id,
            said.class,
            &said.tenant,
            &said.account,
            &said.subject,
            &said.actor,
            &said.locator,
            &said.purpose,
            mode,
            &expiry,
        ]
        .join("|");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.secret);
        let tag = hmac::sign(&key, fields.as_bytes());
        let mac = hexadecimal(tag.as_ref());
        format!("{fields}|{mac}")
    }
}

/// A session of one serving role, with the contexts that its transactions have.
pub(super) struct Attacker {
    pub(super) role: &'static str,
    pub(super) said: Option<Said>,
    pub(super) wire: Wire,
    forge: Arc<Forge>,
}

impl Attacker {
    /// On a database of the caller's own.
    pub(super) fn on(database: &Database, role: &'static str, said: Option<Said>) -> Self {
        let forge = Arc::new(Forge::registered(database, 1, "24 hours"));
        let wire = Wire::login(database, role);
        Self {
            role,
            said,
            wire,
            forge,
        }
    }

    /// As `role`, under what `said` says; without a context if it says nothing.
    pub(super) async fn new(role: &'static str, said: Option<Said>) -> Self {
        let wire = Wire::login(planted().await, role);
        Self {
            role,
            said,
            wire,
            forge: Forge::shared().await,
        }
    }

    /// Every serving role under each kind of context that it is given in A's transactions, and
    /// under none.
    pub(super) async fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for (role, contexts) in CONTEXTS.iter() {
            for said in contexts.iter().cloned().map(Some).chain([None]) {
                all.push(Self::new(role, said).await);
            }
        }
        all
    }

    /// The same on a database of the caller's own.
    pub(super) fn all_on(database: &Database) -> Vec<Self> {
        let forge = Arc::new(Forge::registered(database, 1, "24 hours"));
        let mut all = Vec::new();
        for (role, contexts) in CONTEXTS.iter() {
            for said in contexts {
                let forge = Arc::clone(&forge);
                let wire = Wire::login(database, role);
                all.push(Self {
                    role,
                    said: Some(said.clone()),
                    wire,
                    forge,
                });
            }
        }
        all
    }

    /// What opens its transaction.
    pub(super) fn begin(&self) -> String {
        let Some(said) = &self.said else {
            return "begin".to_owned();
        };
        let begin = if said.is_read_only {
            "begin read only"
        } else {
            "begin"
        };
        format!(
            "{begin}; set local lanyard.context = '{}'",
            self.forge.seal(said, 50)
        )
    }

    /// Runs `statements`, each a message, in one transaction of its own; undoes all of it.
    pub(super) fn run(&mut self, statements: &[&str]) -> Answer {
        let begin = self.begin();
        let mut messages = vec![begin.as_str()];
        messages.extend(statements);
        messages.push("rollback; close all; unlisten *; reset all; deallocate all");
        self.wire.ask_all(&messages)
    }

    /// The same, and nothing of others came back. What the statements themselves name does not
    /// count.
    pub(super) fn harmless(&mut self, statements: &[&str]) -> Answer {
        let answer = self.run(statements);
        let leaks = leaks(&answer.raw, statements);
        let who = (self.role, self.said.as_ref().map(|said| said.class));
        assert!(
            leaks.is_empty(),
            "{who:?} {statements:?} gave {leaks:?}: {answer:?}"
        );
        answer
    }
}

/// The canaries in `raw` that the statements did not bring along.
pub(super) fn leaks(raw: &[u8], statements: &[&str]) -> Vec<&'static str> {
    let mut text = String::from_utf8_lossy(raw).to_lowercase();
    for statement in statements {
        // Literals of an attack may be echoed by an error or a plan.
        for literal in statement
            .split('\'')
            .skip(1)
            .step_by(2)
            .filter(|l| l.len() > 5)
        {
            text = text.replace(&literal.to_lowercase(), "");
        }
    }
    CANARIES
        .into_iter()
        .filter(|canary| text.contains(canary))
        .collect()
}

/// The contexts of each role's transactions within A.
static CONTEXTS: LazyLock<Vec<(&'static str, Vec<Said>)>> = LazyLock::new(|| {
    let identity = vec![
        Said::member("grant"),
        Said {
            account: String::new(),
            subject: String::new(),
            ..Said::member("grant")
        },
        Said {
            is_read_only: true,
            ..Said::member("grant")
        },
        Said::account(Owner::A.id("account_id", 1)),
        Said::claim(Owner::A.id("login_locator", 1)),
        Said::claim(Owner::A.id("slug_locator", 1)),
        Said::claim(Owner::A.id("client_locator", 1)),
        Said::claim(Owner::A.id("session_id", 1)),
        Said::job("administer_clients"),
        Said::job("deliver_mail"),
    ];
    let tenant = ["patient", "clinician", "care_team", "auditor", "no_records"];
    let tenant = tenant.map(Said::member);
    let mut tenant = tenant.to_vec();
    tenant.push(Said::job("seed_visits"));
    for (class, purpose) in [("clinician", "emergency"), ("auditor", "operations")] {
        tenant.push(Said {
            purpose: purpose.to_owned(),
            ..Said::member(class)
        });
    }
    let jobs = ["administer_tenants", "read_log", "keep_log", "forward_log"].map(Said::job);
    let platform = [vec![Said::member("support")], jobs.to_vec()].concat();
    let apps = vec![
        Said::member("grant"),
        Said::claim(Owner::A.id("session_id", 1)),
    ];
    let contexts = [
        identity,
        tenant,
        platform,
        apps,
        vec![Said::job("sequence_log")],
        vec![Said::member("grant")],
    ];
    LOGINS.into_iter().zip(contexts).collect()
});
