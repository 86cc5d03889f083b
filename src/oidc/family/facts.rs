//! From rows to a decision, and from a decision to what is given: what both ways of refreshing do
//! alike.

use secrecy::SecretString;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::exchange::{Given, Presenter};
use super::model::{Family, FamilyFacts, Place, Presentation, SessionClocks, Standing};
use super::policy::{self, Decision, RotatePermit};
use super::refresh_token::{DigestBinding, PresentedRefreshToken, RefreshTokenSecret, digest};
use super::store::Found;
use super::successor::{SealContext, SealKeyId, SealKeys, SealedSuccessor};
use crate::app::App;
use crate::db::Proved;
use crate::identity::membership::store::MemberStanding;
use crate::secret::KeyedDigest;
use crate::sessions::Clocks;
use crate::sessions::service::{Inspected, Standing as StandingSession};

/// The family, and proof of its account, if the secret shown is the one that was given out.
pub(super) fn prove(
    app: &App,
    found: Found,
    presented: &PresentedRefreshToken,
) -> Option<(Found, Proved)> {
    let binding = DigestBinding::of(&found.family, presented.generation());
    let expected = digest(&app.keys, presented.secret(), &binding);
    let stored = found.token_digest.as_deref()?;
    let proved = Proved::by_check(found.family.account);
    expected.matches(stored).then_some((found, proved))
}

/// What must still stand, and the session that tokens tell of.
#[derive(Debug)]
pub(super) struct LoadedStanding {
    facts: Standing,
    session: StandingSession,
    clocks: Clocks,
}

impl LoadedStanding {
    pub(super) fn of(session: Inspected, member: MemberStanding) -> Self {
        let clocks = session.standing.clocks();
        let facts = Standing {
            tenant_is_active: member.tenant_is_active,
            account_is_active: session.account_is_active,
            membership_is_active: member.membership_is_active,
            lacks_factor: member.requires_factor && !session.standing.session.meets_factor_rules(),
            password_epoch: session.account_password_epoch.into(),
            session_password_epoch: session.standing.session.password_epoch.into(),
            session: SessionClocks {
                is_ended: session.is_ended,
                idle_end_at: clocks.idle_ends_at,
                absolute_end_at: clocks.session_ends_at,
            },
        };
        Self {
            facts,
            session: session.standing,
            clocks,
        }
    }
}

/// What the rules say to a proven token.
pub(super) fn decide(
    app: &App,
    found: &Found,
    standing: &LoadedStanding,
    presented: &PresentedRefreshToken,
    from: &Presenter<'_>,
    now: OffsetDateTime,
) -> Decision {
    let facts = FamilyFacts {
        family: found.family.clone(),
        client_kind: from.kind,
        standing: standing.facts,
        access_token_lifetime: app.config.lifetimes.access_token,
    };
    policy::decide(&facts, &presentation(app, found, presented, from), now)
}

fn presentation(
    app: &App,
    found: &Found,
    presented: &PresentedRefreshToken,
    from: &Presenter<'_>,
) -> Presentation {
    let grant = &found.grant;
    let family = found.family.id.as_uuid();
    // Bound to the family: what was seen of one can't be joined with another's.
    let place_digest = |purpose, text: &str| {
        let digest = app
            .keys
            .digest(purpose, text.as_bytes(), &[family.as_bytes()]);
        <[u8; 32]>::try_from(digest.as_bytes()).expect("SHA-256 gives 32 bytes")
    };
    Presentation {
        client: from.client.clone(),
        proven_key: from.proven_key,
        generation: presented.generation(),
        is_authentic: true,
        scope_is_granted: from
            .scopes
            .is_none_or(|asked| asked.iter().all(|scope| grant.scopes.contains(scope))),
        resource_is_granted: from.resources.iter().all(|asked| *asked == grant.audience),
        place: Place {
            network_digest: place_digest("refresh network", from.network),
            user_agent_digest: place_digest("refresh user agent", from.user_agent),
        },
    }
}

/// Draws the successor of a presented token, and seals the copy that a retry is given.
pub(super) fn succeed(
    app: &App,
    presented: &PresentedRefreshToken,
    permit: &RotatePermit,
    now: OffsetDateTime,
) -> (RefreshTokenSecret, SealedSuccessor) {
    let successor = RefreshTokenSecret::draw(app.env.entropy.as_ref());
    let sealed = SealKeys::new(app.keys.successor_secret()).seal(
        app.env.random_bytes(),
        SealKeyId::at(now),
        &seal_context(permit.after()),
        presented.secret(),
        &successor,
    );
    (successor, sealed)
}

/// What the database keeps of the secret of the family's current generation.
pub(super) fn kept(app: &App, family: &Family, secret: &RefreshTokenSecret) -> KeyedDigest {
    digest(
        &app.keys,
        secret,
        &DigestBinding::of(family, family.current),
    )
}

/// An event's detail, with whose token it was about.
pub(super) fn told(presented: &PresentedRefreshToken, mut detail: Value) -> Value {
    detail["family"] = json!(presented.family());
    detail["generation"] = json!(presented.generation().0);
    detail
}

/// What goes to the client, of the scopes that it `asked` for.
pub(super) fn give(
    found: Found,
    standing: LoadedStanding,
    asked: Option<&[String]>,
    refresh_token: Option<SecretString>,
    access_ends_at: OffsetDateTime,
) -> Box<Given> {
    let mut scopes = found.grant.scopes;
    if let Some(asked) = asked {
        scopes.retain(|scope| asked.contains(scope));
    }
    Box::new(Given {
        refresh_token,
        access_ends_at,
        family: found.family.id,
        account: found.family.account,
        subject: found.grant.subject,
        scopes,
        audience: found.grant.audience,
        standing: standing.session,
        clocks: standing.clocks,
    })
}

/// A token as its holder sees it.
pub(super) fn expose(family: &Family, secret: RefreshTokenSecret) -> SecretString {
    PresentedRefreshToken::new(family.tenant, family.id, family.current, secret).expose()
}

/// The successor's place: it is the family's current generation.
pub(super) const fn seal_context(family: &Family) -> SealContext {
    SealContext {
        tenant: family.tenant,
        family: family.id,
        generation: family.current,
    }
}
