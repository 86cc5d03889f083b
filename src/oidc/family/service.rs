//! Use cases of a family. Each takes a transaction of the family's tenant and opens none.

use secrecy::SecretString;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::exchange::{Given, NewFamily, Presenter, RefreshOutcome, Started};
use super::model::{
    EndReason, Ended, Family, FamilyFacts, Generation, LockStep, Place, Presentation,
    SessionClocks, Standing,
};
use super::policy::{self, Decision, RetryPermit, ReusePermit, RotatePermit};
use super::refresh_token::{DigestBinding, PresentedRefreshToken, RefreshTokenSecret, digest};
use super::refusal::RefreshRefusal;
use super::store::{self, Found, Grant};
use super::successor::{SealContext, SealKeyId, SealKeys};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::outbox::{self, MailKind};
use crate::db::{Authority, Identity, Proved, StoreError, Tx};
use crate::ids::FamilyId;
use crate::sessions::{self, Clocks};

/// Begins a family: generation 0, unused.
pub async fn start_family(
    tx: &mut Tx<Identity>,
    app: &App,
    new: NewFamily<'_>,
) -> Result<Started, StoreError> {
    let now = app.env.now();
    let family = Family {
        tenant: tx.tenant()?,
        id: FamilyId::from_uuid(app.env.random_uuid()),
        account: new.account,
        client: new.client.clone(),
        key_binding: new.key_binding,
        absolute_end_at: whole_microsecond(new.absolute_end_at),
        current: Generation::FIRST,
        current_is_used: false,
        last_redemption: None,
        lockstep: LockStep::default(),
        ended: None,
    };
    let grant = Grant {
        subject: new.subject,
        session: new.session,
        scopes: new.scopes.to_vec(),
        audience: new.audience.to_owned(),
    };
    store::insert_family(tx, &family, &grant, now).await?;
    let secret = RefreshTokenSecret::draw(app.env.entropy.as_ref());
    insert_token(tx, app, &family, &secret, now).await?;
    Ok(Started {
        family: family.id,
        refresh_token: expose(&family, secret),
    })
}

/// Answers one presentation by the rules of design §5, in a transaction of
/// [`Authority::presented_in`] the tenant that the token names.
///
/// The family's row is locked first, so of any number of concurrent callers one rotates and the
/// others, decided on what it wrote, are given the same successor.
///
/// # Errors
/// [`StoreError`] only, and then nothing was written.
pub async fn refresh(
    tx: &mut Tx<Identity>,
    app: &App,
    presented: &PresentedRefreshToken,
    from: &Presenter<'_>,
) -> Result<RefreshOutcome, StoreError> {
    let (tenant, generation) = (tx.tenant()?, presented.generation());
    let found = store::find_locked(tx, tenant, presented.family(), generation).await?;
    let Some(found) = found.filter(|found| is_authentic(app, found, presented)) else {
        // Nobody's: to the platform's log, since what names a tenant need not be of it.
        tx.proceed(Authority::claim(presented.family().as_uuid()))
            .await?;
        return refuse(tx, app, presented, from, RefreshRefusal::Unknown).await;
    };
    let proved = Proved::by_check(found.family.account);
    tx.proceed(Authority::member(proved, tenant, found.grant.subject))
        .await?;
    let standing = load_standing(tx, app, &found, from).await?;
    let facts = FamilyFacts {
        family: found.family.clone(),
        client_kind: from.kind,
        standing: standing.facts,
        access_token_lifetime: app.config.lifetimes.access_token,
    };
    let now = app.env.now();
    let decision = policy::decide(&facts, &presentation(app, &found, presented, from), now);
    app.metrics.refreshed(decision.word());
    match decision {
        Decision::Rotate(permit) => {
            let token = rotate(tx, app, presented, &permit, now).await?;
            let ends_at = permit.access_ends_at();
            Ok(give(found, standing, from, Some(token), ends_at))
        }
        Decision::Retry(permit) => match retry(tx, app, presented, &found, &permit).await? {
            Some(token) => {
                let ends_at = permit.access_ends_at();
                Ok(give(found, standing, from, Some(token), ends_at))
            }
            None => {
                refuse(
                    tx,
                    app,
                    presented,
                    from,
                    RefreshRefusal::SuccessorUnreadable,
                )
                .await
            }
        },
        Decision::Reissue(permit) => {
            store::mark_reissued(tx, &permit).await?;
            record(
                tx,
                app,
                EventType::RefreshRotated,
                presented,
                json!({ "rotated": false }),
            )
            .await?;
            Ok(give(found, standing, from, None, permit.access_ends_at()))
        }
        Decision::Reuse(permit) => {
            end_reused(tx, app, presented, from, &permit).await?;
            let ended = EndReason::Reuse(permit.cause());
            Ok(RefreshOutcome::Refused(RefreshRefusal::FamilyEnded(ended)))
        }
        Decision::Refused(refusal) => refuse(tx, app, presented, from, refusal).await,
    }
}

/// Ends a family of the transaction's tenant; false if it had ended before.
pub async fn end_family(
    tx: &mut Tx<Identity>,
    app: &App,
    family: FamilyId,
    reason: EndReason,
) -> Result<bool, StoreError> {
    let ended_at = app.env.now();
    let tenant = tx.tenant()?;
    store::mark_ended(tx, tenant, family, Ended { ended_at, reason }).await
}

/// Erases sealed successors that may no longer be given; in a transaction of the job
/// [`crate::db::Job::EraseSuccessors`]. Says how many.
pub async fn erase_successors(tx: &mut Tx<Identity>, app: &App) -> Result<u64, StoreError> {
    store::purge_sealed(tx, app.env.now()).await
}

fn is_authentic(app: &App, found: &Found, presented: &PresentedRefreshToken) -> bool {
    let binding = DigestBinding::of(&found.family, presented.generation());
    let expected = digest(&app.keys, presented.secret(), &binding);
    found
        .token_digest
        .as_deref()
        .is_some_and(|stored| expected.matches(stored))
}

struct LoadedStanding {
    facts: Standing,
    session: sessions::service::Standing,
    clocks: Clocks,
}

async fn load_standing(
    tx: &mut Tx<Identity>,
    app: &App,
    found: &Found,
    from: &Presenter<'_>,
) -> Result<LoadedStanding, StoreError> {
    let (tenant, grant) = (found.family.tenant, &found.grant);
    let missing = |what| StoreError::Corrupt {
        table: "identity.token_family",
        what,
    };
    let member = store::find_member_standing(tx, tenant, grant.subject).await?;
    let (membership_is_active, tenant_is_active) =
        member.ok_or_else(|| missing("a family without its member"))?;
    let session = sessions::service::inspect(tx, app, grant.session, from.app).await?;
    let session = session.ok_or_else(|| missing("a family without its session"))?;
    let clocks = session.standing.clocks();
    let facts = Standing {
        tenant_is_active,
        account_is_active: session.account_is_active,
        membership_is_active,
        password_epoch: session.account_password_epoch.into(),
        session_password_epoch: session.standing.session.password_epoch.into(),
        session: SessionClocks {
            is_ended: session.is_ended,
            idle_end_at: clocks.idle_ends_at,
            absolute_end_at: clocks.session_ends_at,
        },
    };
    Ok(LoadedStanding {
        facts,
        session: session.standing,
        clocks,
    })
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
        scope_is_granted: from.scopes.is_none_or(|asked| {
            let granted = |scope: &&str| grant.scopes.iter().any(|known| known == scope);
            asked.iter().all(granted)
        }),
        resource_is_granted: from.resources.iter().all(|asked| *asked == grant.audience),
        place: Place {
            network_digest: place_digest("refresh network", from.network),
            user_agent_digest: place_digest("refresh user agent", from.user_agent),
        },
    }
}

async fn rotate(
    tx: &mut Tx<Identity>,
    app: &App,
    presented: &PresentedRefreshToken,
    permit: &RotatePermit,
    now: OffsetDateTime,
) -> Result<SecretString, StoreError> {
    let family = permit.after();
    let successor = RefreshTokenSecret::draw(app.env.entropy.as_ref());
    let sealed = SealKeys::new(app.keys.successor_secret()).seal(
        app.env.random_bytes(),
        SealKeyId::at(now),
        &seal_context(family),
        presented.secret(),
        &successor,
    );
    store::mark_rotated(tx, permit, &sealed).await?;
    insert_token(tx, app, family, &successor, now).await?;
    record(tx, app, EventType::RefreshRotated, presented, json!({})).await?;
    Ok(expose(family, successor))
}

/// The successor once more; `None` if its sealed copy does not open.
async fn retry(
    tx: &mut Tx<Identity>,
    app: &App,
    presented: &PresentedRefreshToken,
    found: &Found,
    permit: &RetryPermit,
) -> Result<Option<SecretString>, StoreError> {
    let family = permit.after();
    let keys = SealKeys::new(app.keys.successor_secret());
    let opened = found.sealed.as_ref().and_then(|sealed| {
        keys.open(&seal_context(family), presented.secret(), sealed)
            .ok()
    });
    let Some(successor) = opened else {
        return Ok(None);
    };
    if family.lockstep != found.family.lockstep {
        store::mark_retried(tx, permit).await?;
    }
    record(tx, app, EventType::RefreshRetried, presented, json!({})).await?;
    Ok(Some(expose(family, successor)))
}

/// Ends the family and tells the person, in the transaction that records why.
async fn end_reused(
    tx: &mut Tx<Identity>,
    app: &App,
    presented: &PresentedRefreshToken,
    from: &Presenter<'_>,
    permit: &ReusePermit,
) -> Result<(), StoreError> {
    store::mark_reused(tx, permit).await?;
    let mail = MailKind::ReusedToken {
        client_name: from.client_name.to_owned(),
    };
    outbox::post(tx, &app.env, permit.after().account, &mail).await?;
    let cause = json!({
        "cause": permit.cause().name(),
        "current_generation": permit.after().current.0,
    });
    record(tx, app, EventType::RefreshReuseDetected, presented, cause).await
}

async fn refuse(
    tx: &mut Tx<Identity>,
    app: &App,
    presented: &PresentedRefreshToken,
    from: &Presenter<'_>,
    refusal: RefreshRefusal,
) -> Result<RefreshOutcome, StoreError> {
    let ended = match refusal {
        RefreshRefusal::FamilyEnded(reason) => Some(reason.name()),
        _ => None,
    };
    let detail = json!({
        "reason": refusal.name(),
        "ended": ended,
        "client": from.client.as_str(),
    });
    record(tx, app, EventType::RefreshRejected, presented, detail).await?;
    Ok(RefreshOutcome::Refused(refusal))
}

async fn record(
    tx: &mut Tx<Identity>,
    app: &App,
    event: EventType,
    presented: &PresentedRefreshToken,
    mut detail: serde_json::Value,
) -> Result<(), StoreError> {
    detail["family"] = json!(presented.family());
    detail["generation"] = json!(presented.generation().0);
    audit::append(tx, &app.env, &app.keys, event, detail).await
}

async fn insert_token(
    tx: &mut Tx<Identity>,
    app: &App,
    family: &Family,
    secret: &RefreshTokenSecret,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let binding = DigestBinding::of(family, family.current);
    let kept = digest(&app.keys, secret, &binding);
    store::insert_token(tx, family, family.current, kept.as_bytes(), now).await
}

fn give(
    found: Found,
    standing: LoadedStanding,
    from: &Presenter<'_>,
    refresh_token: Option<SecretString>,
    access_ends_at: OffsetDateTime,
) -> RefreshOutcome {
    let mut scopes = found.grant.scopes;
    if let Some(asked) = from.scopes {
        scopes.retain(|scope| asked.contains(&scope.as_str()));
    }
    RefreshOutcome::Given(Box::new(Given {
        refresh_token,
        access_ends_at,
        family: found.family.id,
        account: found.family.account,
        subject: found.grant.subject,
        scopes,
        audience: found.grant.audience,
        standing: standing.session,
        clocks: standing.clocks,
    }))
}

fn expose(family: &Family, secret: RefreshTokenSecret) -> SecretString {
    PresentedRefreshToken::new(family.tenant, family.id, family.current, secret).expose()
}

/// The successor's place: it is the family's current generation.
const fn seal_context(family: &Family) -> SealContext {
    SealContext {
        tenant: family.tenant,
        family: family.id,
        generation: family.current,
    }
}

/// As the database keeps it, so that the digest of a row read back is the same.
fn whole_microsecond(at: OffsetDateTime) -> OffsetDateTime {
    at - Duration::nanoseconds(i64::from(at.nanosecond() % 1000))
}
