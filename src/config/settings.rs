//! The one table of keys: meaning, unit, bounds, and where the value goes.

use time::Duration;

use super::audit;
use super::mail;
use super::model::LogFormat;
use super::serving;
use super::setting::{Kind, Setting};

const fn seconds(n: i64) -> Duration {
    Duration::seconds(n)
}
const fn minutes(n: i64) -> Duration {
    Duration::minutes(n)
}
const fn hours(n: i64) -> Duration {
    Duration::hours(n)
}

/// Every key there is, in the order of the reference.
pub(super) fn all() -> impl Iterator<Item = &'static Setting> {
    SETTINGS
        .iter()
        .chain(audit::SETTINGS)
        .chain(mail::SETTINGS)
        .chain(serving::SETTINGS)
}

const SETTINGS: &[Setting] = &[
    Setting {
        key: "issuer",
        meaning: "The public address of this deployment and the `iss` of every token; http only \
            for loopback hosts.",
        kind: Kind::TheIssuer,
    },
    Setting {
        key: "planes",
        meaning: "Which parts this process serves, separated by commas: identity (sign-in, \
            tokens), tenant (the API), apps (the four apps), or all.",
        kind: Kind::Planes,
    },
    Setting {
        key: "state_dir",
        meaning: "Where this process writes: the private database cluster, mail files. As root \
            the default is /var/lib/lanyard.",
        kind: Kind::Path {
            at: |c| &mut c.state_dir,
        },
    },
    Setting {
        key: "keys_dir",
        meaning: "Where `master.key` lies, made by `lanyard keys init`. As root the default is \
            /var/lib/lanyard/keys.",
        kind: Kind::Path {
            at: |c| &mut c.keys_dir,
        },
    },
    Setting {
        key: "listen.issuer",
        meaning: "Addresses of the issuer, the account pages and the API.",
        kind: Kind::Addresses {
            may_be_off: false,
            at: |c| &mut c.listen.issuer,
        },
    },
    Setting {
        key: "listen.operations",
        meaning: "Addresses of health checks and metrics, plain HTTP; keep them from the public.",
        kind: Kind::Addresses {
            may_be_off: false,
            at: |c| &mut c.listen.operations,
        },
    },
    Setting {
        key: "apps.patient.url",
        meaning: "Public origin of the patient app; a clinic's is its slug before this host.",
        kind: Kind::Origin {
            at: |c| &mut c.apps.patient.url,
        },
    },
    Setting {
        key: "apps.patient.listen",
        meaning: "Addresses of the patient app; an empty list turns it off.",
        kind: Kind::Addresses {
            may_be_off: true,
            at: |c| &mut c.apps.patient.listen,
        },
    },
    Setting {
        key: "apps.clinician.url",
        meaning: "Public origin of the clinician app; a clinic's is its slug before this host.",
        kind: Kind::Origin {
            at: |c| &mut c.apps.clinician.url,
        },
    },
    Setting {
        key: "apps.clinician.listen",
        meaning: "Addresses of the clinician app; an empty list turns it off.",
        kind: Kind::Addresses {
            may_be_off: true,
            at: |c| &mut c.apps.clinician.listen,
        },
    },
    Setting {
        key: "apps.console.url",
        meaning: "Public origin of the console; a clinic's is its slug before this host.",
        kind: Kind::Origin {
            at: |c| &mut c.apps.console.url,
        },
    },
    Setting {
        key: "apps.console.listen",
        meaning: "Addresses of the console; an empty list turns it off.",
        kind: Kind::Addresses {
            may_be_off: true,
            at: |c| &mut c.apps.console.listen,
        },
    },
    Setting {
        key: "apps.platform.url",
        meaning: "Public origin of the platform's own console; no clinic has a host below it.",
        kind: Kind::Origin {
            at: |c| &mut c.apps.platform.url,
        },
    },
    Setting {
        key: "apps.platform.listen",
        meaning: "Addresses of the platform's own console; an empty list turns it off.",
        kind: Kind::Addresses {
            may_be_off: true,
            at: |c| &mut c.apps.platform.listen,
        },
    },
    Setting {
        key: "database.url_file",
        meaning: "A file with the administrator's URL of a PostgreSQL server, \
            postgres://user:password@host/database?sslmode=verify-full. None: a private cluster \
            in the state directory. `DATABASE_URL` in the environment says the same.",
        kind: Kind::SecretFile {
            at: |c| &mut c.database.url,
        },
    },
    Setting {
        key: "database.postgres_bin",
        meaning: "The folder of the private cluster's programs, if not where distributions put \
            them.",
        kind: Kind::OptionalPath {
            at: |c| &mut c.database.postgres_bin,
        },
    },
    Setting {
        key: "database.connections",
        meaning: "Most connections of the identity plane; the other planes have half as many, \
            refreshes four of their own.",
        kind: Kind::Count {
            least: 4,
            most: 500,
            at: |c| &mut c.database.connections,
        },
    },
    Setting {
        key: "lifetimes.access_token",
        meaning: "How long a person's access token is good.",
        kind: Kind::Length {
            least: minutes(1),
            most: minutes(10),
            at: |c| &mut c.lifetimes.access_token,
        },
    },
    Setting {
        key: "lifetimes.id_token",
        meaning: "How long an ID token is good.",
        kind: Kind::Length {
            least: minutes(1),
            most: minutes(60),
            at: |c| &mut c.lifetimes.id_token,
        },
    },
    Setting {
        key: "lifetimes.authorization_code",
        meaning: "How long an authorization code may wait for its one use.",
        kind: Kind::Length {
            least: seconds(10),
            most: seconds(60),
            at: |c| &mut c.lifetimes.authorization_code,
        },
    },
    Setting {
        key: "lifetimes.client_credentials_token",
        meaning: "How long a service's own access token is good.",
        kind: Kind::Length {
            least: minutes(1),
            most: minutes(10),
            at: |c| &mut c.lifetimes.client_credentials_token,
        },
    },
    Setting {
        key: "lifetimes.interaction",
        meaning: "How long a sign-in page may wait for its person.",
        kind: Kind::Length {
            least: minutes(1),
            most: minutes(30),
            at: |c| &mut c.lifetimes.interaction,
        },
    },
    Setting {
        key: "lifetimes.refresh_confidential",
        meaning: "The absolute end of refreshing for a client with a secret, counted from \
            sign-in; the session may end before.",
        kind: Kind::Length {
            least: minutes(5),
            most: hours(24),
            at: |c| &mut c.lifetimes.refresh_confidential,
        },
    },
    Setting {
        key: "lifetimes.refresh_public",
        meaning: "The absolute end of refreshing for a public client, counted from sign-in; the \
            session may end before.",
        kind: Kind::Length {
            least: minutes(5),
            most: hours(24),
            at: |c| &mut c.lifetimes.refresh_public,
        },
    },
    Setting {
        key: "lifetimes.emergency_access",
        meaning: "How long a clinician may read the record of a patient who is not assigned to \
            him, once he has opened it in an emergency.",
        kind: Kind::Length {
            least: minutes(5),
            most: hours(4),
            at: |c| &mut c.lifetimes.emergency_access,
        },
    },
    Setting {
        key: "signing.rotate_every",
        meaning: "How long a key signs before the next one, published all the while, takes its \
            turn.",
        kind: Kind::Length {
            least: hours(24),
            most: hours(24 * 90),
            at: |c| &mut c.signing.rotate_every,
        },
    },
    Setting {
        key: "session.idle",
        meaning: "The longest that any session lives without its person doing something; roles, \
            clinics and apps may only shorten it.",
        kind: Kind::Length {
            least: minutes(1),
            most: hours(8),
            at: |c| &mut c.session.idle,
        },
    },
    Setting {
        key: "session.absolute",
        meaning: "The longest that any session lives after sign-in; roles, clinics and apps may \
            only shorten it.",
        kind: Kind::Length {
            least: minutes(5),
            most: hours(24),
            at: |c| &mut c.session.absolute,
        },
    },
    Setting {
        key: "session.most_per_person",
        meaning: "How many browsers one person may be signed in with at a time; one more signs \
            out the one that was idle longest.",
        kind: Kind::Count {
            least: 1,
            most: 50,
            at: |c| &mut c.session.most_per_person,
        },
    },
    Setting {
        key: "password.parallelism",
        meaning: "How many passwords are hashed at the same time, each with 19 MiB; best the \
            number of cores.",
        kind: Kind::Count {
            least: 1,
            most: 64,
            at: |c| &mut c.password.parallelism,
        },
    },
    Setting {
        key: "password.queue",
        meaning: "How many may wait for that; the next is told to come back (503).",
        kind: Kind::Count {
            least: 0,
            most: 1000,
            at: |c| &mut c.password.queue,
        },
    },
    Setting {
        key: "throttle.account_attempts",
        meaning: "Guesses at one account from one network within its window.",
        kind: Kind::Count {
            least: 3,
            most: 20,
            at: |c| &mut c.throttle.account_attempts,
        },
    },
    Setting {
        key: "throttle.account_window",
        meaning: "The window of guesses at one account.",
        kind: Kind::Length {
            least: minutes(1),
            most: hours(24),
            at: |c| &mut c.throttle.account_window,
        },
    },
    Setting {
        key: "throttle.network_attempts",
        meaning: "Guesses from one network, at any account, within its window.",
        kind: Kind::Count {
            least: 10,
            most: 10_000,
            at: |c| &mut c.throttle.network_attempts,
        },
    },
    Setting {
        key: "throttle.network_window",
        meaning: "The window of guesses from one network.",
        kind: Kind::Length {
            least: minutes(1),
            most: hours(24),
            at: |c| &mut c.throttle.network_window,
        },
    },
    Setting {
        key: "retention.sessions",
        meaning: "How long a sign-in that is over is kept, with its codes and the digests of its \
            tokens, after the last instant that it could have lived.",
        kind: Kind::Length {
            least: hours(24),
            most: hours(24 * 400),
            at: |c| &mut c.retention.sessions,
        },
    },
    Setting {
        key: "retention.known_places",
        meaning: "How long a browser or network is known that a person does not sign in from any \
            more; after that she is told of it as of a new one.",
        kind: Kind::Length {
            least: hours(24 * 31),
            most: hours(24 * 800),
            at: |c| &mut c.retention.known_places,
        },
    },
    Setting {
        key: "retention.mail",
        meaning: "How long a message is kept after its delivery; what waits is kept.",
        kind: Kind::Length {
            least: hours(24 * 2),
            most: hours(24 * 400),
            at: |c| &mut c.retention.mail,
        },
    },
    Setting {
        key: "log.format",
        meaning: "text for people, json for collectors.",
        kind: Kind::Choice {
            of: &["text", "json"],
            take: |c, word| {
                c.log.format = if word == "json" {
                    LogFormat::Json
                } else {
                    LogFormat::Text
                };
            },
            give: |c| match c.log.format {
                LogFormat::Text => "text",
                LogFormat::Json => "json",
            },
        },
    },
    Setting {
        key: "log.filter",
        meaning: "Which events are logged: a level, or targets with levels, as in \
            info,lanyard=debug.",
        kind: Kind::Text {
            at: |c| &mut c.log.filter,
        },
    },
];
