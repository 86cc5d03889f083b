//! What counts as a person's act, how long a session lasts, whom a host belongs to. Pure.

use http::HeaderMap;
use http::uri::Authority;
use time::{Duration, OffsetDateTime};

use super::model::{AppSession, Kind, Told};
use crate::pages::EndReason;

/// A token with less life left than this is renewed before it is used.
const ACCESS_TOKEN_MARGIN_SECONDS: i64 = 10;
/// The same under `act`, where the browser fetches the next one and a page may make many calls.
const ACTING_MARGIN_SECONDS: i64 = 30;
/// A token under `act` that is refused so soon after it was given is not renewed again: another
/// would fare no better.
const ACTING_PAUSE: Duration = Duration::seconds(2);

/// Whether a `GET` of a page is a person's act: a navigation that she began, in a tab she sees.
/// A stranger's page that opens ours in the background of nothing she did keeps no session alive.
/// Browsers without Fetch Metadata are believed.
pub fn is_persons_navigation(headers: &HeaderMap) -> bool {
    let of = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if of("sec-purpose").is_some() || of("purpose").is_some() {
        return false; // prefetched or prerendered
    }
    match of("sec-fetch-mode") {
        None => true,
        Some("navigate") => {
            of("sec-fetch-user") == Some("?1") || of("sec-fetch-site") != Some("cross-site")
        }
        Some(_) => false,
    }
}

/// When the session ends if nobody does anything: what the issuer said, or later by what a person
/// did here since, which its API has reported or will within a minute.
pub fn idle_ends_at(told: &Told, active_at: OffsetDateTime) -> OffsetDateTime {
    let by_act = active_at + told.idle_limit;
    told.idle_ends_at.max(by_act).min(told.session_ends_at)
}

/// What to do with a session before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// What we know is fresh enough.
    Use,
    /// Ask the token endpoint.
    Refresh,
    /// Over whatever the issuer says.
    End(EndReason),
}

/// - `patience`: how old may be what the issuer said last.
pub fn step(session: &AppSession, now: OffsetDateTime, patience: Duration) -> Step {
    if session.tokens.acting.is_some() {
        // The grant's end is no secret of the issuer's; anything before it the API tells.
        return if session.told.session_ends_at <= now {
            Step::End(EndReason::ImpersonationOver)
        } else {
            Step::Use
        };
    }
    let token_ends = session.tokens.access_ends_at - ACCESS_TOKEN_MARGIN_SECONDS;
    if session.told.session_ends_at <= now {
        Step::End(EndReason::Expired)
    } else if session.told.told_at + patience <= now
        || session.told.idle_ends_at <= now
        || token_ends <= now.unix_timestamp()
    {
        Step::Refresh
    } else {
        Step::Use
    }
}

/// Whether the browser has to fetch a session under `act` another token before it is used: there is
/// no refresh token.
///
/// - `is_refused`: whether the API takes the present one no more
pub fn must_renew(session: &AppSession, now: OffsetDateTime, is_refused: bool) -> bool {
    let ends = session.tokens.access_ends_at - ACTING_MARGIN_SECONDS;
    let is_ripe = session.told.told_at + ACTING_PAUSE <= now;
    session.tokens.acting.is_some() && is_ripe && (is_refused || ends <= now.unix_timestamp())
}

/// Why the issuer refused a refresh, as far as its clocks let us know.
pub fn reason_of_refusal(session: &AppSession, now: OffsetDateTime) -> EndReason {
    if session.told.session_ends_at <= now {
        EndReason::Expired
    } else if idle_ends_at(&session.told, session.active_at) <= now {
        EndReason::Idle
    } else {
        EndReason::Elsewhere
    }
}

/// Whether the session may be used although the issuer does not answer just now.
pub fn outlasts_silence(session: &AppSession, now: OffsetDateTime) -> bool {
    now < idle_ends_at(&session.told, session.active_at)
        && now.unix_timestamp() < session.tokens.access_ends_at
}

/// Whether an app is for someone of these roles.
pub fn is_for(kind: Kind, roles: &[String]) -> bool {
    roles.iter().any(|role| match role.as_str() {
        "patient" => kind == Kind::Patient,
        "clinician" | "nurse" => kind == Kind::Clinician,
        "platform_support" | "super_admin" => kind == Kind::Platform,
        _ => kind == Kind::Console,
    })
}

/// Whom a request's host names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// The app itself: the issuer asks which clinic.
    App,
    /// Perhaps a clinic's: the label before the app's host.
    Label(String),
    /// A loopback address, where cookies are not.
    Loopback,
    /// Not ours.
    Stranger,
}

/// Reads a request's host against the app's own, such as `localhost:8081`.
pub fn host(asked: &Authority, own: &str) -> Host {
    let text = asked.as_str().to_ascii_lowercase();
    if text == own {
        return Host::App;
    }
    let bare = asked.host().trim_start_matches('[').trim_end_matches(']');
    if bare
        .parse::<std::net::IpAddr>()
        .is_ok_and(|ip| ip.is_loopback())
    {
        return Host::Loopback;
    }
    match text
        .strip_suffix(own)
        .and_then(|rest| rest.strip_suffix('.'))
    {
        Some(label) if is_label(label) => Host::Label(label.to_owned()),
        _ => Host::Stranger,
    }
}

/// As a clinic's slug is written (`tenancy.tenant`).
pub fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    (3..=40).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;
    use crate::apps::model::{Acting, ClinicFacts, Tokens};

    const START: OffsetDateTime = datetime!(2026-03-01 08:00 UTC);

    fn session() -> AppSession {
        AppSession {
            id: Uuid::nil(),
            version: 0,
            tokens: Tokens {
                access_token: String::new(),
                access_ends_at: (START + Duration::minutes(5)).unix_timestamp(),
                refresh_token: None,
                id_token: String::new(),
                subject: String::new(),
                clinic: ClinicFacts {
                    id: Uuid::nil(),
                    slug: String::new(),
                    name: String::new(),
                    accent: String::new(),
                },
                name: None,
                acting: None,
            },
            told: Told {
                told_at: START,
                idle_ends_at: START + Duration::minutes(15),
                session_ends_at: START + Duration::hours(12),
                idle_limit: Duration::minutes(15),
            },
            active_at: START,
            draft: None,
        }
    }

    #[test]
    fn a_session_is_used_while_fresh_and_renewed_at_each_edge() {
        let session = session();
        let at = |seconds: i64| START + Duration::seconds(seconds);
        let hour = Duration::hours(1);
        assert_eq!(step(&session, at(4), Duration::seconds(5)), Step::Use);
        assert_eq!(
            step(&session, at(5), Duration::seconds(5)),
            Step::Refresh,
            "stale"
        );
        assert_eq!(step(&session, at(289), hour), Step::Use);
        assert_eq!(
            step(&session, at(290), hour),
            Step::Refresh,
            "token nearly over"
        );
        let end = session.told.session_ends_at;
        assert_eq!(step(&session, end, hour), Step::End(EndReason::Expired));
    }

    /// Design §7: no refresh; the end of the grant is the end.
    #[test]
    fn a_session_under_act_is_renewed_by_the_browser_and_ends_with_the_grant() {
        let mut session = session();
        let at = |seconds: i64| START + Duration::seconds(seconds);
        assert!(!must_renew(&session, at(299), true), "nobody acts");
        session.tokens.acting = Some(Acting {
            actor: Uuid::nil(),
            actor_name: None,
            grant: Uuid::nil(),
            preset: "read-only".to_owned(),
        });
        assert_eq!(step(&session, at(299), Duration::ZERO), Step::Use);
        let over = Step::End(EndReason::ImpersonationOver);
        assert_eq!(
            step(&session, session.told.session_ends_at, Duration::ZERO),
            over
        );
        assert!(!must_renew(&session, at(269), false));
        assert!(must_renew(&session, at(270), false));
        assert!(must_renew(&session, at(2), true));
        assert!(!must_renew(&session, at(1), true), "just given");
    }

    #[test]
    fn an_act_here_moves_the_idle_end_but_never_past_the_absolute_one() {
        let told = session().told;
        let at = |minutes| START + Duration::minutes(minutes);
        assert_eq!(idle_ends_at(&told, at(-3)), at(15));
        assert_eq!(idle_ends_at(&told, at(10)), at(25));
        assert_eq!(idle_ends_at(&told, at(719)), told.session_ends_at);
    }

    #[test]
    fn a_refusal_is_put_in_words_by_the_clocks() {
        let session = session();
        let of = |minutes| reason_of_refusal(&session, START + Duration::minutes(minutes));
        assert_eq!(of(14), EndReason::Elsewhere);
        assert_eq!(of(15), EndReason::Idle);
        assert_eq!(of(720), EndReason::Expired);
    }

    #[test]
    fn only_a_navigation_that_a_person_began_is_her_act() {
        let of = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().expect("a constant"));
            }
            is_persons_navigation(&headers)
        };
        let navigate = ("sec-fetch-mode", "navigate");
        assert!(of(&[]));
        assert!(of(&[navigate, ("sec-fetch-site", "none")]));
        assert!(of(&[navigate, ("sec-fetch-site", "same-site")]));
        assert!(of(&[
            navigate,
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-user", "?1")
        ]));
        assert!(!of(&[navigate, ("sec-fetch-site", "cross-site")]));
        assert!(!of(&[("sec-fetch-mode", "cors")]));
        assert!(!of(&[navigate, ("sec-purpose", "prefetch;prerender")]));
    }

    #[test]
    fn a_host_is_the_apps_a_clinics_a_loopbacks_or_a_strangers() {
        let of = |text: &str| host(&text.parse().expect("an authority"), "localhost:8081");
        assert_eq!(of("localhost:8081"), Host::App);
        assert_eq!(of("LOCALHOST:8081"), Host::App);
        assert_eq!(
            of("juniper.localhost:8081"),
            Host::Label("juniper".to_owned())
        );
        assert_eq!(of("127.0.0.1:8081"), Host::Loopback);
        assert_eq!(of("[::1]:8081"), Host::Loopback);
        for strange in [
            "localhost",
            "localhost:8082",
            "evil.example:8081",
            "a.juniper.localhost:8081",
            "juniperlocalhost:8081",
            ".localhost:8081",
            "192.0.2.1:8081",
        ] {
            assert_eq!(of(strange), Host::Stranger, "{strange}");
        }
    }
}
