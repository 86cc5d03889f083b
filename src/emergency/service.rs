//! Opening, closing, listing and reviewing.

use std::collections::HashMap;

use serde_json::json;

use super::model::{EmergencyAccess, Finding, Reason, Review, TypedText};
use super::policy::{self, ReviewRefusal, View};
use super::store::{self, StoredAccess};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, StoreError, Tenancy, Tx};
use crate::env::Env;
use crate::ids::{EmergencyId, SubjectId, TenantId};
use crate::tenancy::data_key::{StoredKey, TenantKey, service as data_key};
use crate::tenancy::members::store as members;

/// More than a page shows.
const MOST: i64 = 100;
/// What the words are bound to, beside their clinic and access.
const WHY: &str = "visits.emergency_access.why_sealed";
const NOTE: &str = "visits.emergency_access.note_sealed";
/// The constraint that wants somebody to be told.
const ALERTS_SOMEBODY: &str = "emergency_alerts_somebody";
/// Whoever may have a record here that can be opened.
const PATIENT: &str = "patient";

/// Who asks, through what.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The member.
    pub subject: SubjectId,
    /// The app.
    pub client_id: &'a str,
}

/// What a clinician wants.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whose record.
    pub patient: SubjectId,
    /// Why, in one word.
    pub reason: Reason,
    /// Why, in his own.
    pub why: TypedText,
}

/// What a reviewer says.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What she found.
    pub finding: Finding,
    /// In her own words.
    pub note: Option<TypedText>,
}

/// An answer to who wants to open one.
#[derive(Debug)]
pub enum Opened {
    /// It is open: now, or since an earlier click.
    Open(Loaded),
    /// The clinic has no such patient.
    NoSuchPatient,
    /// An earlier click opened it, and another closed it just now.
    ClosedSince,
}

/// An answer to who reviews one.
#[derive(Debug)]
pub enum Reviewed {
    /// It is signed off.
    Signed(Loaded),
    /// The clinic has none of that id.
    NotFound,
    /// Not by her, or not now.
    Refused(ReviewRefusal),
}

/// Accesses as stored, and the clinic's key: to be opened after the transaction.
#[derive(Debug)]
pub struct Loaded {
    tenant: TenantId,
    key: Option<StoredKey>,
    accesses: Vec<Sealed>,
}

#[derive(Debug)]
struct Sealed {
    shown: Shown,
    why: Vec<u8>,
    note: Option<Vec<u8>>,
}

/// An access with its words and the names of its people, as the clinic calls them.
#[derive(Clone, Debug)]
pub struct Shown {
    /// It.
    pub access: EmergencyAccess,
    /// Empty if no member any more.
    pub clinician_name: String,
    /// The same.
    pub patient_name: String,
    /// What he typed; `None` once the clinic's key is destroyed.
    pub why: Option<String>,
    /// What the reviewer typed, if anything.
    pub note: Option<String>,
}

/// The key that seals what somebody types about an access.
#[derive(Debug)]
pub enum Key {
    /// It.
    Here(Box<TenantKey>),
    /// The clinic's data was destroyed, and the key with it.
    Destroyed,
    /// The clinic was never given one.
    Missing,
}

/// The clinic's key, to seal words before the transaction that keeps them.
pub async fn key(app: &App, authority: Authority<Tenancy>) -> Result<Key, StoreError> {
    let run = app.db.run(authority.read_only(), async |tx| {
        let tenant = tx.tenant()?;
        Ok::<_, StoreError>((tenant, data_key::find(tx, tenant).await?))
    });
    let (tenant, stored) = run.await?;
    if stored.is_none() {
        tracing::error!(%tenant, "this clinic has no data key: run `lanyard migrate`");
        return Ok(Key::Missing);
    }
    let key = data_key::open(&app.keys, tenant, stored).await?;
    Ok(key.map_or(Key::Destroyed, |key| Key::Here(Box::new(key))))
}

/// Opens one, tells who reviews, and records both; a second click finds the first one's.
///
/// # Errors
/// [`StoreError`]; then nothing was opened and nobody told.
pub async fn open(
    tx: &mut Tx<Tenancy>,
    app: &App,
    by: Caller<'_>,
    key: &TenantKey,
    wanted: &Wanted,
) -> Result<Opened, StoreError> {
    let tenant = tx.tenant()?;
    let now = app.env.now();
    let patient = members::list_named(tx, tenant, &[wanted.patient]).await?;
    let is_patient = |roles: &[String]| roles.iter().any(|role| role == PATIENT);
    if wanted.patient == by.subject || !patient.iter().any(|member| is_patient(&member.roles)) {
        return Ok(Opened::NoSuchPatient);
    }
    let pair = (by.subject, wanted.patient);
    store::close_expired(tx, tenant, pair, now).await?;
    let access = EmergencyAccess {
        id: EmergencyId::from_uuid(app.env.random_uuid()),
        clinician: by.subject,
        patient: wanted.patient,
        reason: wanted.reason,
        opened_at: now,
        expires_at: now + app.config.lifetimes.emergency_access,
        closed_at: None,
        review: None,
    };
    let why = key.seal(&app.env, WHY, access.id.as_uuid(), wanted.why.as_str());
    let id = if store::insert(tx, tenant, &access, &why).await? {
        let detail = json!({
            "access": access.id,
            "patients": [access.patient],
            "reason": access.reason.as_str(),
            "expires_at": access.expires_at.unix_timestamp(),
            "client_id": by.client_id,
        });
        record(tx, app, EventType::EmergencyAccessOpened, detail).await?;
        Some(access.id)
    } else {
        store::find_live(tx, tenant, pair, now).await?
    };
    // Neither: what the other click opened was closed in this moment.
    let loaded = match id {
        Some(id) => load(tx, tenant, id).await?,
        None => None,
    };
    Ok(loaded.map_or(Opened::ClosedSince, Opened::Open))
}

/// Whether an access could not be opened because nobody but its clinician would be told.
pub fn nobody_was_told(error: &StoreError) -> bool {
    matches!(error, StoreError::Conflict { constraint } if constraint == ALERTS_SOMEBODY)
}

/// Closes the caller's own; one that is over stays as it ended. `None` if there is none such.
pub async fn close(
    tx: &mut Tx<Tenancy>,
    app: &App,
    by: Caller<'_>,
    id: EmergencyId,
) -> Result<Option<Loaded>, StoreError> {
    let tenant = tx.tenant()?;
    let is_closed = store::mark_closed(tx, tenant, id, by.subject, app.env.now()).await?;
    let loaded = load(tx, tenant, id).await?;
    if let (true, Some(loaded)) = (is_closed, &loaded) {
        let detail = json!({
            "access": id,
            "patients": loaded.patients(),
            "client_id": by.client_id,
        });
        record(tx, app, EventType::EmergencyAccessClosed, detail).await?;
    }
    Ok(loaded)
}

/// Signs one off.
///
/// - `key`: for the note
pub async fn review(
    tx: &mut Tx<Tenancy>,
    app: &App,
    by: Caller<'_>,
    key: &TenantKey,
    (id, judged): (EmergencyId, &Judged),
) -> Result<Reviewed, StoreError> {
    let tenant = tx.tenant()?;
    let Some(stored) = store::find(tx, tenant, id).await? else {
        return Ok(Reviewed::NotFound);
    };
    let now = app.env.now();
    let (access, has_note) = (&stored.access, judged.note.is_some());
    if let Err(why) = policy::may_review(access, by.subject, judged.finding, has_note, now) {
        return Ok(Reviewed::Refused(why));
    }
    let review = Review {
        at: now,
        by: by.subject,
        finding: judged.finding,
    };
    let note = judged.note.as_ref();
    let note = note.map(|note| key.seal(&app.env, NOTE, id.as_uuid(), note.as_str()));
    if !store::mark_reviewed(tx, tenant, id, &review, note.as_deref()).await? {
        return Ok(Reviewed::Refused(ReviewRefusal::Reviewed));
    }
    let detail = json!({
        "access": id,
        "patients": [access.patient],
        "finding": judged.finding.as_str(),
        "client_id": by.client_id,
    });
    record(tx, app, EventType::EmergencyAccessReviewed, detail).await?;
    Ok(match load(tx, tenant, id).await? {
        Some(loaded) => Reviewed::Signed(loaded),
        None => Reviewed::NotFound,
    })
}

/// What a view shows, the oldest first; the reading is on the record.
pub async fn list(
    tx: &mut Tx<Tenancy>,
    app: &App,
    by: Caller<'_>,
    view: View,
) -> Result<Loaded, StoreError> {
    let tenant = tx.tenant()?;
    let stored = match view {
        View::Own => store::list_open(tx, tenant, by.subject, app.env.now(), MOST).await?,
        View::Queue => store::list_unreviewed(tx, tenant, MOST).await?,
    };
    let loaded = with_names(tx, tenant, stored).await?;
    let accesses = loaded.accesses.iter();
    let detail = json!({
        "accesses": accesses.map(|sealed| sealed.shown.access.id).collect::<Vec<_>>(),
        "patients": loaded.patients(),
        "client_id": by.client_id,
    });
    record(tx, app, EventType::EmergencyAccessListed, detail).await?;
    Ok(loaded)
}

/// The access under which the transaction's clinician reads a patient's record now, if any.
pub async fn find_live(
    tx: &mut Tx<Tenancy>,
    env: &Env,
    clinician: SubjectId,
    patient: SubjectId,
) -> Result<Option<EmergencyId>, StoreError> {
    let tenant = tx.tenant()?;
    store::find_live(tx, tenant, (clinician, patient), env.now()).await
}

/// Opens what the clinic's key sealed; a destroyed key leaves the words out.
pub async fn reveal(app: &App, loaded: Loaded) -> Result<Vec<Shown>, StoreError> {
    let Loaded {
        tenant,
        key,
        accesses,
    } = loaded;
    let key = if accesses.is_empty() {
        None
    } else {
        data_key::open(&app.keys, tenant, key).await?
    };
    let opened = accesses.into_iter().map(|sealed| {
        let mut shown = sealed.shown;
        if let Some(key) = &key {
            let id = shown.access.id;
            shown.why = Some(text(key, WHY, id, &sealed.why)?);
            let note = sealed.note.as_deref();
            shown.note = note.map(|note| text(key, NOTE, id, note)).transpose()?;
        }
        Ok(shown)
    });
    opened.collect()
}

fn text(
    key: &TenantKey,
    column: &str,
    id: EmergencyId,
    sealed: &[u8],
) -> Result<String, StoreError> {
    let opened = key.open(column, id.as_uuid(), sealed);
    let text = opened.map(|text| text.as_str().to_owned());
    text.ok_or(StoreError::Corrupt {
        table: "visits.emergency_access",
        what: "words that do not open",
    })
}

impl Loaded {
    /// Whose records, each once.
    fn patients(&self) -> Vec<SubjectId> {
        let accesses = self.accesses.iter();
        let mut patients: Vec<_> = accesses.map(|sealed| sealed.shown.access.patient).collect();
        patients.sort_unstable();
        patients.dedup();
        patients
    }
}

pub(super) async fn record(
    tx: &mut Tx<Tenancy>,
    app: &App,
    event: EventType,
    detail: serde_json::Value,
) -> Result<(), StoreError> {
    audit::append(tx, &app.env, &app.keys, event, detail).await
}

async fn load(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    id: EmergencyId,
) -> Result<Option<Loaded>, StoreError> {
    let Some(stored) = store::find(tx, tenant, id).await? else {
        return Ok(None);
    };
    with_names(tx, tenant, vec![stored]).await.map(Some)
}

async fn with_names(
    tx: &mut Tx<Tenancy>,
    tenant: TenantId,
    stored: Vec<StoredAccess>,
) -> Result<Loaded, StoreError> {
    let people = stored.iter();
    let mut people: Vec<SubjectId> = people
        .flat_map(|stored| [stored.access.clinician, stored.access.patient])
        .collect();
    people.sort_unstable();
    people.dedup();
    let members = members::list_named(tx, tenant, &people).await?;
    let names: HashMap<SubjectId, String> = members
        .into_iter()
        .map(|member| (member.subject_id, member.display_name))
        .collect();
    let name = |who: SubjectId| names.get(&who).cloned().unwrap_or_default();
    let accesses = stored.into_iter().map(|stored| Sealed {
        shown: Shown {
            clinician_name: name(stored.access.clinician),
            patient_name: name(stored.access.patient),
            access: stored.access,
            why: None,
            note: None,
        },
        why: stored.why_sealed,
        note: stored.note_sealed,
    });
    Ok(Loaded {
        tenant,
        accesses: accesses.collect(),
        key: data_key::find(tx, tenant).await?,
    })
}
