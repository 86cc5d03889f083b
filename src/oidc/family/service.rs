//! Use cases of a family. Each takes a transaction of the family's tenant and opens none.

use secrecy::SecretString;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::exchange::{NewFamily, Presenter, RefreshOutcome, Started};
use super::facts::{self, LoadedStanding};
use super::model::{EndReason, Ended, Family, Generation, LockStep};
use super::policy::{Decision, RetryPermit, ReusePermit, RotatePermit};
use super::refresh_token::{PresentedRefreshToken, RefreshTokenSecret};
use super::refusal::RefreshRefusal;
use super::store::{self, Found, Grant};
use super::successor::SealKeys;
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::outbox::{self, MailKind};
use crate::db::{Authority, Identity, StoreError, Tx};
use crate::identity::membership::store as membership;
use crate::ids::{FamilyId, TenantId};
use crate::secret::KeyedDigest;
use crate::sessions;

/// Begins a family: generation 0, unused.
pub async fn start_family(
    tx: &mut Tx<Identity>,
    app: &App,
    new: NewFamily<'_>,
) -> Result<Started, StoreError> {
    let now = app.env.now();
    let beginning = Beginning::draw(app, tx.tenant()?, &new);
    let family = &beginning.family;
    store::insert_family(tx, family, &beginning.grant, now).await?;
    let kept = beginning.kept(app);
    store::insert_token(tx, family, family.current, kept.as_bytes(), now).await?;
    Ok(Started {
        family: family.id,
        refresh_token: beginning.expose(),
    })
}

/// A family as it is to begin, not written yet.
#[derive(Debug)]
pub(crate) struct Beginning {
    family: Family,
    grant: Grant,
    secret: RefreshTokenSecret,
}

impl Beginning {
    pub(crate) fn draw(app: &App, tenant: TenantId, new: &NewFamily<'_>) -> Self {
        Self {
            family: Family {
                tenant,
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
            },
            grant: Grant {
                subject: new.subject,
                session: new.session,
                scopes: new.scopes.to_vec(),
                audience: new.audience.to_owned(),
            },
            secret: RefreshTokenSecret::draw(app.env.entropy.as_ref()),
        }
    }

    /// Which.
    pub(crate) const fn id(&self) -> FamilyId {
        self.family.id
    }

    /// When it ends, as the database keeps it.
    pub(crate) const fn absolute_end_at(&self) -> OffsetDateTime {
        self.family.absolute_end_at
    }

    /// What is kept of its first token.
    pub(crate) fn kept(&self, app: &App) -> KeyedDigest {
        facts::kept(app, &self.family, &self.secret)
    }

    /// Its first token, for the client alone.
    pub(crate) fn expose(self) -> SecretString {
        facts::expose(&self.family, self.secret)
    }
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
    let proved = found.and_then(|found| facts::prove(app, found, presented));
    let Some((found, proved)) = proved else {
        // Nobody's: to the platform's log, since what names a tenant need not be of it.
        tx.proceed(Authority::claim(presented.family().as_uuid()))
            .await?;
        return refuse(tx, app, presented, from, RefreshRefusal::Unknown).await;
    };
    tx.proceed(Authority::member(proved, tenant, found.grant.subject))
        .await?;
    let standing = load_standing(tx, app, &found, from).await?;
    let now = app.env.now();
    let decision = facts::decide(app, &found, &standing, presented, from, now);
    app.metrics.refreshed(decision.word());
    match decision {
        Decision::Rotate(permit) => {
            let token = rotate(tx, app, presented, &permit, now).await?;
            let ends_at = permit.access_ends_at();
            Ok(given(found, standing, from, Some(token), ends_at))
        }
        Decision::Retry(permit) => match retry(tx, app, presented, &found, &permit).await? {
            Some(token) => {
                let ends_at = permit.access_ends_at();
                Ok(given(found, standing, from, Some(token), ends_at))
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
            Ok(given(found, standing, from, None, permit.access_ends_at()))
        }
        Decision::Reuse(permit) => {
            end_reused(tx, app, presented, from, &permit).await?;
            let ended = EndReason::Reuse(permit.cause());
            Ok(RefreshOutcome::Refused(RefreshRefusal::FamilyEnded(ended)))
        }
        Decision::Refused(refusal) => refuse(tx, app, presented, from, refusal).await,
    }
}

fn given(
    found: Found,
    standing: LoadedStanding,
    from: &Presenter<'_>,
    token: Option<SecretString>,
    ends_at: OffsetDateTime,
) -> RefreshOutcome {
    RefreshOutcome::Given(facts::give(found, standing, from.scopes, token, ends_at))
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
    let member = membership::find_standing(tx, tenant, grant.subject).await?;
    let member = member.ok_or_else(|| missing("a family without its member"))?;
    let session = sessions::service::inspect(tx, app, grant.session, from.app).await?;
    let session = session.ok_or_else(|| missing("a family without its session"))?;
    Ok(LoadedStanding::of(session, member))
}

async fn rotate(
    tx: &mut Tx<Identity>,
    app: &App,
    presented: &PresentedRefreshToken,
    permit: &RotatePermit,
    now: OffsetDateTime,
) -> Result<SecretString, StoreError> {
    let family = permit.after();
    let (successor, sealed) = facts::succeed(app, presented, permit, now);
    store::mark_rotated(tx, permit, &sealed).await?;
    insert_token(tx, app, family, &successor, now).await?;
    record(tx, app, EventType::RefreshRotated, presented, json!({})).await?;
    Ok(facts::expose(family, successor))
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
        keys.open(&facts::seal_context(family), presented.secret(), sealed)
            .ok()
    });
    let Some(successor) = opened else {
        return Ok(None);
    };
    if family.lockstep != found.family.lockstep {
        store::mark_retried(tx, permit).await?;
    }
    record(tx, app, EventType::RefreshRetried, presented, json!({})).await?;
    Ok(Some(facts::expose(family, successor)))
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
    detail: serde_json::Value,
) -> Result<(), StoreError> {
    let detail = facts::told(presented, detail);
    audit::append(tx, &app.env, &app.keys, event, detail).await
}

async fn insert_token(
    tx: &mut Tx<Identity>,
    app: &App,
    family: &Family,
    secret: &RefreshTokenSecret,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let kept = facts::kept(app, family, secret);
    store::insert_token(tx, family, family.current, kept.as_bytes(), now).await
}

/// As the database keeps it, so that the digest of a row read back is the same.
fn whole_microsecond(at: OffsetDateTime) -> OffsetDateTime {
    at - Duration::nanoseconds(i64::from(at.nanosecond() % 1000))
}
