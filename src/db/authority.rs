//! The only way to a transaction: an [`Authority`] says for whom it is.
//!
//! One can be had from a verified principal, from a credential that is being claimed or was
//! just claimed, or from a system job named in [`Job`]. A type for each plane keeps a visit's
//! authority out of the identity plane at compile time; the seal keeps it out at run time.

use std::marker::PhantomData;

use lanyard_verifier::{Preset, Principal};
use uuid::Uuid;

use super::context::{Context, Mode};
use crate::ids::{AccountId, SubjectId, TenantId};

/// A plane of the design, served by one login that sees its schemas and no others.
pub trait Plane: std::fmt::Debug + Send + Sync + 'static {
    /// The serving role's name.
    const ROLE: &'static str;
}

/// People, credentials, sessions, clients, grants, keys.
#[derive(Debug)]
pub enum Identity {}
/// Clinics and their work.
#[derive(Debug)]
pub enum Tenancy {}
/// What stands above all clinics.
#[derive(Debug)]
pub enum Platform {}
/// The sessions of our own relying parties.
#[derive(Debug)]
pub enum Apps {}
/// The log's: what moves events into it and signs it. No request has a transaction of this plane.
#[derive(Debug)]
pub enum Sequencer {}

impl Plane for Identity {
    const ROLE: &'static str = "lanyard_identity";
}
impl Plane for Tenancy {
    const ROLE: &'static str = "lanyard_tenant";
}
impl Plane for Platform {
    const ROLE: &'static str = "lanyard_platform";
}
impl Plane for Apps {
    const ROLE: &'static str = "lanyard_apps";
}
impl Plane for Sequencer {
    const ROLE: &'static str = "lanyard_sequencer";
}

/// Every job that runs for nobody in particular. The one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Creating accounts and memberships, and erasing people, from the command line.
    AdministerAccounts,
    /// Registering clients, from the command line.
    AdministerClients,
    /// Ending delegations whose time is over, and the events about what ended.
    AdministerDelegations,
    /// What clinics let support do; ending it, and the events about what ended.
    AdministerImpersonation,
    /// Sending what the outbox holds.
    DeliverMail,
    /// Ending everything of one clinic, by an operator or the platform's console.
    EndSessions,
    /// Erasing sealed successors of refresh tokens that may no longer be given.
    EraseSuccessors,
    /// Sending sinks what their logs have (`crate::audit::sinks`).
    ForwardLog,
    /// Dropping what of the log is old enough, legal holds, sinks.
    KeepLog,
    /// Loading and rotating the signing keys.
    KeyRing,
    /// Loading, making and re-wrapping data keys; keeping the epoch.
    OpenKeys,
    /// Creating clinics, from the command line.
    AdministerTenants,
    /// Forgetting what is dead (`crate::retention`).
    Purge,
    /// Reading a log, from the command line.
    ReadLog,
    /// Moving events into the logs, and signing those.
    SequenceLog,
    /// Telling verifiers what ended (`crate::revocation`).
    TellRevocations,
    /// The demo's and the tests' synthetic visits.
    SeedVisits,
    /// Finding out whether a plane answers. No policy names it: it sees nothing.
    CheckReadiness,
}

impl Job {
    const fn name(self) -> &'static str {
        match self {
            Self::AdministerAccounts => "administer_accounts",
            Self::AdministerClients => "administer_clients",
            Self::AdministerDelegations => "administer_delegations",
            Self::AdministerImpersonation => "administer_impersonation",
            Self::DeliverMail => "deliver_mail",
            Self::EndSessions => "end_sessions",
            Self::EraseSuccessors => "erase_successors",
            Self::ForwardLog => "forward_log",
            Self::KeepLog => "keep_log",
            Self::KeyRing => "key_ring",
            Self::OpenKeys => "open_keys",
            Self::AdministerTenants => "administer_tenants",
            Self::Purge => "purge",
            Self::ReadLog => "read_log",
            Self::SequenceLog => "sequence_log",
            Self::TellRevocations => "tell_revocations",
            Self::SeedVisits => "seed_visits",
            Self::CheckReadiness => "check_readiness",
        }
    }
}

/// What of a clinic's records a transaction may see: exactly one, never a union of roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessClass {
    /// Her own records.
    Patient,
    /// The patients assigned to him.
    Clinician,
    /// The clinic's records, to care for or administer.
    CareTeam,
    /// The clinic's log.
    Auditor,
    /// No identified record (executives, billing, compliance, attorneys, referring doctors until
    /// their own relations exist).
    NoRecords,
}

impl AccessClass {
    const fn name(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Clinician => "clinician",
            Self::CareTeam => "care_team",
            Self::Auditor => "auditor",
            Self::NoRecords => "no_records",
        }
    }
}

/// What a clinic's records are used for (45 CFR 164.501; `emergency`: 164.312(a)(2)(ii)). Chosen by
/// the route, and asked by the policies beside the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Caring for who is assigned to the caller; a patient's look at her own.
    Treatment,
    /// Being paid for care. No policy names it: it sees no record.
    Payment,
    /// Running the clinic, its log and its reviews.
    Operations,
    /// Caring for who is not assigned to him, under an access that he opened.
    Emergency,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Treatment => "treatment",
            Self::Payment => "payment",
            Self::Operations => "operations",
            Self::Emergency => "emergency",
        }
    }
}

/// The right to open one transaction in plane `P`.
#[derive(Debug)]
pub struct Authority<P> {
    pub(super) context: Context,
    plane: PhantomData<P>,
}

impl<P: Plane> Authority<P> {
    fn new(class: &'static str, fill: impl FnOnce(&mut Context)) -> Self {
        let mut context = Context {
            class,
            tenant: None,
            account: None,
            subject: None,
            actor: None,
            locator: None,
            purpose: Purpose::Operations.name().into(),
            mode: Mode::ReadWrite,
        };
        fill(&mut context);
        Self {
            context,
            plane: PhantomData,
        }
    }

    /// To look at the one row that a presented value names, before anything is known of it.
    pub(crate) fn claim(locator: Uuid) -> Self {
        Self::new("claim", |c| c.locator = Some(locator))
    }

    /// For a system job, across tenants where the job's policies say so.
    pub(crate) fn job(job: Job) -> Self {
        Self::new("job", |c| c.purpose = job.name().into())
    }

    /// For a system job within one tenant.
    pub(crate) fn job_in(job: Job, tenant: TenantId) -> Self {
        Self::new("job", |c| {
            c.purpose = job.name().into();
            c.tenant = Some(tenant);
        })
    }

    /// The same, in a transaction that can't write.
    #[must_use]
    pub(crate) fn read_only(mut self) -> Self {
        self.context.mode = Mode::ReadOnly;
        self
    }
}

impl Authority<Identity> {
    /// Within the tenant that a presented code or refresh token names. A forged name only makes
    /// the value unknown there.
    pub(crate) fn presented_in(tenant: TenantId) -> Self {
        Self::new("grant", |c| c.tenant = Some(tenant))
    }

    /// For the account whose session or password was just proved; before any tenant.
    pub(crate) fn account(proved: Proved) -> Self {
        Self::new("account", |c| c.account = Some(proved.account))
    }

    /// For a member whose session was just proved, within one tenant.
    pub(crate) fn member(proved: Proved, tenant: TenantId, subject: SubjectId) -> Self {
        Self::new("grant", |c| {
            c.account = Some(proved.account);
            c.tenant = Some(tenant);
            c.subject = Some(subject);
        })
    }

    /// For a caller whose access token was verified, within her own tenant.
    pub(crate) fn caller(tenant: TenantId, subject: SubjectId) -> Self {
        Self::new("grant", |c| {
            c.tenant = Some(tenant);
            c.subject = Some(subject);
        })
    }

    /// For a member of the platform's tenant whose access token was verified: his own grants to act
    /// as somebody, in whatever clinic, and nothing else.
    pub(crate) fn agent(actor: SubjectId) -> Self {
        Self::new("agent", |c| c.subject = Some(actor))
    }

    /// For a member of the platform's tenant whose access token was verified and who oversees the
    /// platform: support's grants in all clinics, how verifiers stand, what was ended of a clinic.
    pub(crate) fn overseer(subject: SubjectId) -> Self {
        Self::new("overseer", |c| c.subject = Some(subject))
    }

    /// For who acts, or asks to act, as a member of a tenant: both are named in the log.
    pub(crate) fn acting(actor: SubjectId, tenant: TenantId, subject: SubjectId) -> Self {
        Self::new("grant", |c| {
            c.tenant = Some(tenant);
            c.subject = Some(subject);
            c.actor = Some(actor);
        })
    }

    /// For the grants of a list with this digest, each within its own tenant: opens no
    /// transaction's tenant, only the clerk's functions, with that list beside it.
    pub(super) fn bundle(digest_of_list: String) -> Self {
        Self::new("bundle", |c| c.purpose = digest_of_list.into())
    }

    /// For the sessions of a list with this digest, as cookies name them: opens no transaction
    /// either, as [`Self::bundle`].
    pub(super) fn claims(digest_of_list: String) -> Self {
        Self::new("claims", |c| c.purpose = digest_of_list.into())
    }
}

impl Authority<Tenancy> {
    /// For a caller whose access token was verified, with one class of access, to run the clinic.
    /// Who acts as somebody to look has a transaction that can't write, whatever a route lets her
    /// ask (design §7).
    pub fn of(principal: &Principal, class: AccessClass) -> Self {
        Self::new(class.name(), |c| {
            c.tenant = Some(TenantId::from_uuid(principal.tenant().as_uuid()));
            c.subject = Some(SubjectId::from_uuid(principal.subject().as_uuid()));
            c.actor = principal
                .actor()
                .map(|actor| SubjectId::from_uuid(actor.sub().as_uuid()));
            let support = principal.actor().and_then(lanyard_verifier::Actor::support);
            if support.is_some_and(|support| support.preset == Preset::ReadOnly) {
                c.mode = Mode::ReadOnly;
            }
        })
    }

    /// For what puts on the record what was read under this authority: the same caller, who may
    /// write.
    pub(super) fn of_its_record(&self) -> Self {
        Self {
            context: Context {
                mode: Mode::ReadWrite,
                ..self.context.clone()
            },
            plane: PhantomData,
        }
    }

    /// Whether its transaction can't write.
    pub(super) fn is_read_only(&self) -> bool {
        self.context.mode == Mode::ReadOnly
    }

    /// The same for another purpose.
    #[must_use]
    pub fn to(mut self, purpose: Purpose) -> Self {
        self.context.purpose = purpose.name().into();
        self
    }
}

/// Proof that an account's session, password or grant was checked in the database just now.
/// `tests/tidy.rs` lists the few places that make one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proved {
    account: AccountId,
}

impl Proved {
    /// Says that `account` was proved by what the caller just checked.
    pub(crate) const fn by_check(account: AccountId) -> Self {
        Self { account }
    }

    /// Whose.
    pub(crate) const fn account(self) -> AccountId {
        self.account
    }
}
