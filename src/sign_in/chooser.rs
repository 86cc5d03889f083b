//! Which clinic, for people who belong to several.

use crate::app::App;
use crate::db::{Authority, Identity, StoreError};
use crate::identity::credential::store as credentials;
use crate::identity::membership::{Membership, store as memberships};
use crate::oidc::interaction::{Interaction, service as interaction};
use crate::sessions::present::Present;

/// Who is asked, and what she may answer.
#[derive(Debug)]
pub(super) struct Choice {
    /// Her login.
    pub(super) login: String,
    /// Her active memberships in active clinics, by clinic name.
    pub(super) memberships: Vec<Membership>,
}

/// What a person may choose from.
pub(super) async fn offer(app: &App, present: &Present) -> Result<Choice, StoreError> {
    let account = present.proof.account();
    let authority = Authority::<Identity>::account(present.proof.0).read_only();
    app.db
        .run(authority, async |tx| {
            let credential = credentials::find_own(tx, account).await?;
            let login = credential
                .map(|credential| credential.login)
                .unwrap_or_default();
            let memberships = memberships::list_active(tx, account).await?;
            Ok(Choice { login, memberships })
        })
        .await
}

/// Keeps what she chose in the interaction; false if it is not hers to choose.
pub(super) async fn choose(
    app: &App,
    present: &Present,
    interaction: &mut Interaction,
    slug: &str,
) -> Result<bool, StoreError> {
    let offered = offer(app, present).await?.memberships;
    let Some(chosen) = offered.into_iter().find(|m| m.clinic.slug == slug) else {
        return Ok(false);
    };
    interaction.pending.tenant = Some(chosen.clinic.tenant_id);
    interaction.pending.clinic = Some((chosen.clinic.name, chosen.clinic.accent));
    interaction.pending.has_chosen = true;
    let authority = interaction::authority(interaction.id);
    app.db
        .run(authority, async |tx| {
            interaction::keep(tx, interaction).await
        })
        .await?;
    Ok(true)
}
