//! What a person sees and does about support that acts, or wants to act, as her.

use crate::app::App;
use crate::db::{Authority, Identity, StoreError};
use crate::identity::membership::{Clinic, Membership, store as memberships};
use crate::impersonation::answers::{self, Clinical};
use crate::impersonation::model::Opened;
use crate::impersonation::service::Answer;
use crate::impersonation::{Grant, ImpersonationId};
use crate::sessions::Clocks;
use crate::sessions::present::{self, Present};

/// All that the page shows: each grant with its clinic and what was opened.
#[derive(Debug)]
pub(super) struct Seen {
    /// Newest first in each clinic.
    pub(super) grants: Vec<(Clinic, Grant, Vec<Opened>)>,
    /// When this session ends, now that she looked at the page.
    pub(super) clocks: Clocks,
}

/// Looks; that is something a person does.
pub(super) async fn look(app: &App, present: &Present) -> Result<Seen, StoreError> {
    let authority = Authority::<Identity>::account(present.proof.0);
    app.db
        .run(authority, async |tx| {
            let clocks = present::touch(tx, app, present).await?;
            let mut grants = Vec::new();
            for at in memberships::list_active(tx, present.proof.account()).await? {
                let member = (at.clinic.tenant_id, at.subject);
                tx.proceed(Authority::member(present.proof.0, member.0, member.1))
                    .await?;
                let (listed, opened) = answers::list_of_member(tx, member).await?;
                grants.extend(listed.into_iter().map(|grant| {
                    let of_it = opened.iter().filter(|o| o.impersonation_id == grant.id);
                    let of_it = of_it.cloned().collect();
                    (at.clinic.clone(), grant, of_it)
                }));
            }
            Ok(Seen { grants, clocks })
        })
        .await
}

/// What she does about a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// She says yes.
    Allow,
    /// She says no.
    Refuse,
    /// She ends it.
    End,
}

/// Does it, at one of her clinics.
pub(super) async fn act(
    app: &App,
    present: &Present,
    (slug, id): (&str, ImpersonationId),
    act: Act,
) -> Result<Answer<Grant>, StoreError> {
    let authority = Authority::<Identity>::account(present.proof.0);
    app.db
        .run(authority, async |tx| {
            present::touch(tx, app, present).await?;
            let hers = memberships::list_active(tx, present.proof.account()).await?;
            let at = hers.into_iter().find(|at| at.clinic.slug == slug);
            let Some(Membership {
                clinic, subject, ..
            }) = at
            else {
                return Ok(Answer::Unknown);
            };
            let by = Clinical {
                tenant: clinic.tenant_id,
                subject,
                is_subject: true,
            };
            tx.proceed(Authority::member(present.proof.0, by.tenant, subject))
                .await?;
            match act {
                Act::Allow => answers::approve(tx, app, by, id).await,
                Act::Refuse => answers::refuse(tx, app, by, id).await,
                Act::End => answers::end_by_clinic(tx, app, by, id).await,
            }
        })
        .await
}
