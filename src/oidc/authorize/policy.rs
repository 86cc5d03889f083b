//! What an authorization request comes to. Pure.

use time::{Duration, OffsetDateTime};

use super::AuthorizeError;
use super::request::asks_for_factor;
use crate::identity::factor::{self, Demand};
use crate::ids::{SubjectId, TenantId};
use crate::oidc::interaction::{AuthorizeRequest, Prompt};

/// What is known when the request is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The person's standing session, if her browser showed one.
    pub session: Option<SessionFacts>,
    /// When the interaction began that she comes back from, if she does.
    pub asked_at: Option<OffsetDateTime>,
}

/// A standing session and where it may lead.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is the answer to a question of its own, and all are read once"
)]
pub struct SessionFacts {
    /// When she last proved her password.
    pub password_at: OffsetDateTime,
    /// When she last proved a second factor in the session, if she did.
    pub factor_at: Option<OffsetDateTime>,
    /// Whether her account has a device to prove one with.
    pub has_device: bool,
    /// Whether this session is the account's one sign-in of grace.
    pub is_graced: bool,
    /// Whether that sign-in is still to be had.
    pub grace_is_left: bool,
    /// The same as the clinic's tokens say it: never later.
    pub auth_time: OffsetDateTime,
    /// The clinic that is asked for, chosen or clear.
    pub clinic: ClinicChoice,
    /// Whether the client may have what it asks for without asking her: it is our own, or she
    /// said so.
    pub has_consented: bool,
}

/// Which clinic it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClinicChoice {
    /// One of hers, and the session is live there.
    Member {
        /// The clinic.
        tenant: TenantId,
        /// Who she is there.
        subject: SubjectId,
        /// Whether her roles there, or the clinic, ask for a second factor.
        requires_factor: bool,
    },
    /// One of hers, where the session is over by its clocks.
    Lapsed,
    /// One that she is no member of.
    Stranger,
    /// More than one of hers would do.
    Unclear,
    /// She is a member nowhere.
    Nowhere,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Give a code.
    Issue {
        /// For this clinic.
        tenant: TenantId,
        /// For this member.
        subject: SubjectId,
        /// Whether she proved who she is in this very flow.
        just_proved: bool,
    },
    /// Show the sign-in pages; `anew`: the old session is over, a new one begins.
    SignIn {
        /// Whether the present session may not be gone on with.
        anew: bool,
    },
    /// Show the page that asks for a second factor.
    ProveFactor,
    /// Show the page that sets one up.
    EnrollFactor {
        /// Whether she may say "not now".
        may_postpone: bool,
    },
    /// Show the chooser.
    ChooseClinic,
    /// Ask what the client may see.
    AskConsent {
        /// In this clinic.
        tenant: TenantId,
    },
    /// Go back with an error.
    Refuse(AuthorizeError),
}

/// Decides (OIDC Core §3.1.2.1–§3.1.2.6; design §2).
pub fn decide(request: &AuthorizeRequest, facts: &Facts, now: OffsetDateTime) -> Step {
    let is_silent = request.prompt.contains(&Prompt::None);
    let ask = |step: Step, error: AuthorizeError| {
        if is_silent { Step::Refuse(error) } else { step }
    };
    let sign_in = |anew| ask(Step::SignIn { anew }, AuthorizeError::LoginRequired);
    let Some(session) = &facts.session else {
        return sign_in(false);
    };
    let just_proved = session.is_proved_since(facts.asked_at);
    if let Some(step) = owed(request, session, facts.asked_at, now) {
        return ask(step, AuthorizeError::LoginRequired);
    }
    match session.clinic {
        ClinicChoice::Lapsed => sign_in(true),
        // For a silent request the same answer as without a session: a clinic must not learn that
        // someone is signed in elsewhere (TEN-15).
        ClinicChoice::Stranger | ClinicChoice::Nowhere => Step::Refuse(if is_silent {
            AuthorizeError::LoginRequired
        } else {
            AuthorizeError::AccessDenied
        }),
        ClinicChoice::Unclear => ask(Step::ChooseClinic, AuthorizeError::AccountSelectionRequired),
        ClinicChoice::Member {
            tenant,
            subject,
            requires_factor,
        } => {
            let hinted_other = request
                .hint
                .is_some_and(|hint| hint != (tenant, subject.as_uuid()));
            if hinted_other && !just_proved {
                return sign_in(true);
            }
            if hinted_other {
                return Step::Refuse(AuthorizeError::LoginRequired);
            }
            match demand(request, session, requires_factor) {
                Demand::Nothing if !session.has_consented => {
                    let step = Step::AskConsent { tenant };
                    ask(step, AuthorizeError::ConsentRequired)
                }
                Demand::Nothing => Step::Issue {
                    tenant,
                    subject,
                    just_proved,
                },
                Demand::Prove => ask(Step::ProveFactor, AuthorizeError::LoginRequired),
                Demand::Enroll { may_postpone } => ask(
                    Step::EnrollFactor { may_postpone },
                    AuthorizeError::LoginRequired,
                ),
            }
        }
    }
}

/// What she has to prove before anything is said of where she may go: half a proof is none
/// (LOGIN-10).
fn owed(
    request: &AuthorizeRequest,
    session: &SessionFacts,
    asked_at: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Option<Step> {
    let wants_login = request.prompt.contains(&Prompt::Login);
    if wants_login && !is_since(session.password_at, asked_at) {
        return Some(Step::SignIn { anew: false });
    }
    let must_prove_again = wants_login || is_too_old(request, session, now);
    if must_prove_again && !session.is_proved_since(asked_at) {
        // A live session and the second factor are two: the password is not asked again.
        return Some(if session.has_device {
            Step::ProveFactor
        } else {
            Step::SignIn { anew: false }
        });
    }
    (session.has_device && session.factor_at.is_none()).then_some(Step::ProveFactor)
}

/// What a clinic, or the request, asks of her second factor.
fn demand(request: &AuthorizeRequest, session: &SessionFacts, is_required: bool) -> Demand {
    factor::policy::demand(&factor::Facts {
        has_device: session.has_device,
        is_proved: session.factor_at.is_some(),
        is_required,
        is_asked: asks_for_factor(request),
        is_graced: session.is_graced,
        grace_is_left: session.grace_is_left,
    })
}

impl SessionFacts {
    /// Whether she proved who she is in the flow that asks: whoever has a device, when she has
    /// proved it too.
    fn is_proved_since(&self, asked_at: Option<OffsetDateTime>) -> bool {
        if self.has_device {
            self.factor_at.is_some_and(|at| is_since(at, asked_at))
        } else {
            is_since(self.password_at, asked_at)
        }
    }
}

fn is_since(at: OffsetDateTime, asked_at: Option<OffsetDateTime>) -> bool {
    asked_at.is_some_and(|asked| asked <= at)
}

fn is_too_old(request: &AuthorizeRequest, session: &SessionFacts, now: OffsetDateTime) -> bool {
    request
        .max_age
        .is_some_and(|seconds| now - session.auth_time >= Duration::seconds(seconds.into()))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

    fn request(prompt: &[Prompt], max_age: Option<u32>) -> AuthorizeRequest {
        AuthorizeRequest {
            client_id: "web-a".into(),
            redirect_uri: "https://app.example/cb".into(),
            state: None,
            nonce: None,
            scopes: vec!["openid".into()],
            code_challenge: None,
            prompt: prompt.to_vec(),
            max_age,
            acr_values: vec![],
            login_hint: None,
            hint: None,
            audience: "api".into(),
        }
    }

    fn member() -> ClinicChoice {
        ClinicChoice::Member {
            tenant: TenantId::from_uuid(Uuid::from_u128(7)),
            subject: SubjectId::from_uuid(Uuid::from_u128(8)),
            requires_factor: false,
        }
    }

    fn facts(clinic: ClinicChoice, proved_ago: i64, asked_ago: Option<i64>) -> Facts {
        let proved_at = NOW - Duration::seconds(proved_ago);
        Facts {
            session: Some(SessionFacts {
                password_at: proved_at,
                factor_at: None,
                has_device: false,
                is_graced: false,
                grace_is_left: true,
                auth_time: proved_at,
                clinic,
                has_consented: true,
            }),
            asked_at: asked_ago.map(|ago| NOW - Duration::seconds(ago)),
        }
    }

    /// AUTHZ-12; OIDC Core §3.1.2.1.
    #[test]
    fn without_consent_she_is_asked_and_a_silent_request_is_told_so() {
        let mut facts = facts(member(), 10, None);
        facts.session.as_mut().expect("signed in").has_consented = false;
        let tenant = TenantId::from_uuid(Uuid::from_u128(7));
        let step = decide(&request(&[], None), &facts, NOW);
        assert_eq!(step, Step::AskConsent { tenant });
        let step = decide(&request(&[Prompt::None], None), &facts, NOW);
        assert_eq!(step, Step::Refuse(AuthorizeError::ConsentRequired));
    }

    fn is_issued(step: &Step) -> bool {
        matches!(step, Step::Issue { .. })
    }

    #[test]
    fn a_silent_request_never_shows_a_page() {
        let silent = request(&[Prompt::None], None);
        let nobody = Facts {
            session: None,
            asked_at: None,
        };
        let refused = |step| matches!(step, Step::Refuse(_));
        assert!(refused(decide(&silent, &nobody, NOW)));
        for clinic in [
            ClinicChoice::Lapsed,
            ClinicChoice::Stranger,
            ClinicChoice::Unclear,
            ClinicChoice::Nowhere,
        ] {
            assert!(refused(decide(&silent, &facts(clinic, 60, None), NOW)));
        }
        assert!(is_issued(&decide(&silent, &facts(member(), 60, None), NOW)));
    }

    #[test]
    fn max_age_counts_to_the_second_and_zero_always_asks() {
        let at = |age, max| decide(&request(&[], Some(max)), &facts(member(), age, None), NOW);
        assert!(is_issued(&at(59, 60)));
        assert_eq!(at(60, 60), Step::SignIn { anew: false });
        assert_eq!(at(61, 60), Step::SignIn { anew: false });
        assert_eq!(at(0, 0), Step::SignIn { anew: false }, "AUTHZ-14");
    }

    #[test]
    fn who_proved_herself_in_this_flow_is_not_asked_again() {
        let login = request(&[Prompt::Login], Some(0));
        assert_eq!(
            decide(&login, &facts(member(), 90, Some(60)), NOW),
            Step::SignIn { anew: false },
            "before the flow began"
        );
        assert!(is_issued(&decide(
            &login,
            &facts(member(), 30, Some(60)),
            NOW
        )));
    }

    #[test]
    fn a_hint_at_someone_else_is_never_answered_with_this_session() {
        let mut hinted = request(&[Prompt::None], None);
        hinted.hint = Some((TenantId::from_uuid(Uuid::from_u128(7)), Uuid::from_u128(9)));
        let step = decide(&hinted, &facts(member(), 60, None), NOW);
        assert_eq!(
            step,
            Step::Refuse(AuthorizeError::LoginRequired),
            "AUTHZ-16"
        );
        hinted.prompt.clear();
        let step = decide(&hinted, &facts(member(), 60, None), NOW);
        assert_eq!(step, Step::SignIn { anew: true });
    }
}
