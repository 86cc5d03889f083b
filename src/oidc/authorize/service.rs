//! From a checked request to an answer: who is she, which clinic, and then a code.

use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

use super::AuthorizeError;
use super::settle::{Asked, Outcome, Wanted, settle};
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{Authority, Identity, StoreError};
use crate::http::browser::Browser;
use crate::identity::membership::{Clinic, store as membership};
use crate::ids::{ClientId, InteractionId};
use crate::oidc::client::{Client, ClientStatus, service as client_service};
use crate::oidc::id_token_hint::{self, Hint};
use crate::oidc::interaction::{
    AuthorizeRequest, Interaction, Pending, Prompt, Purpose, service as interaction,
};

/// What the browser is told.
pub(super) enum Answer {
    /// Go to the sign-in pages.
    SignIn(InteractionId),
    /// Go to the page that asks for a second factor.
    ProveFactor(InteractionId),
    /// Go to the page that sets one up.
    EnrollFactor(InteractionId),
    /// Go to the chooser.
    ChooseClinic(InteractionId),
    /// Go and ask what the client may see.
    AskConsent(InteractionId),
    /// Back to the client with a code.
    Code(Box<AuthorizeRequest>, SecretString),
    /// Back to the client with an error.
    Refuse(Box<AuthorizeRequest>, AuthorizeError),
}

/// The client, if known and active.
pub(super) async fn find_client(app: &App, id: &ClientId) -> Result<Option<Client>, StoreError> {
    let authority = Authority::<Identity>::claim(client_service::locator(&app.keys, id));
    let found = app
        .db
        .run(authority.read_only(), async |tx| {
            client_service::find_claimed(tx, &app.keys, id).await
        })
        .await?;
    if let Some(client) = &found {
        app.clients.remember(client);
    }
    Ok(found.filter(|client| client.status == ClientStatus::Active))
}

/// An unknown client or address is on the record (AUTHZ-01).
pub(super) async fn record_rejected(
    app: &App,
    id: &ClientId,
    is_known: bool,
) -> Result<(), StoreError> {
    let authority = Authority::<Identity>::claim(client_service::locator(&app.keys, id));
    app.db
        .run(authority, async |tx| {
            let mut detail = client_service::told(&app.keys, id, is_known);
            detail["reason"] = json!("client_or_redirect");
            audit::append(
                tx,
                &app.env,
                &app.keys,
                EventType::AuthorizeRejected,
                detail,
            )
            .await
        })
        .await
}

/// What a request says of whom it means.
pub(super) enum Hinted {
    /// Nothing, or nothing of ours.
    Nobody,
    /// One of our ID tokens.
    At(Hint),
    /// It says that somebody acts, and nothing proves it: such a session goes on by its own ID
    /// token alone, and nobody else's session answers for it.
    Unproven,
}

/// Reads a hint; one that is not ours is recorded (AUTHZ-16), and a foreign one ignored.
pub(super) async fn read_hint(app: &App, hint: Option<&str>) -> Result<Hinted, StoreError> {
    let Some(text) = hint else {
        return Ok(Hinted::Nobody);
    };
    if let Some(hint) = id_token_hint::read(app, text) {
        return Ok(Hinted::At(hint));
    }
    let is_unproven = id_token_hint::says_somebody_acts(app, text);
    let authority = Authority::<Identity>::claim(Uuid::nil());
    app.db
        .run(authority, async |tx| {
            let reason = if is_unproven {
                "unproven_id_token_hint"
            } else {
                "foreign_id_token_hint"
            };
            let detail = json!({ "reason": reason });
            audit::append(
                tx,
                &app.env,
                &app.keys,
                EventType::AuthorizeRejected,
                detail,
            )
            .await
        })
        .await?;
    Ok(if is_unproven {
        Hinted::Unproven
    } else {
        Hinted::Nobody
    })
}

/// A new request.
pub(super) async fn begin(
    app: &App,
    browser: &Browser,
    client: &Client,
    request: AuthorizeRequest,
    organization: Option<&str>,
) -> Result<Answer, StoreError> {
    let wanted = Wanted::of(client, organization);
    let chooses = request.prompt.contains(&Prompt::SelectAccount);
    let asked = Asked {
        client,
        request: &request,
        wanted: &wanted,
        chooses,
        began_at: None,
    };
    let outcome = settle(app, browser.session.as_ref(), &asked).await?;
    let id = interaction::fresh_id(app);
    let (answer, anew, settled) = match outcome {
        Outcome::Code(code) => return Ok(Answer::Code(Box::new(request), code)),
        Outcome::Refuse(error) => return Ok(Answer::Refuse(Box::new(request), error)),
        Outcome::SignIn { anew } => (Answer::SignIn(id), anew, None),
        Outcome::ProveFactor => (Answer::ProveFactor(id), false, None),
        Outcome::EnrollFactor => (Answer::EnrollFactor(id), false, None),
        Outcome::ChooseClinic => (Answer::ChooseClinic(id), false, None),
        Outcome::AskConsent(tenant) => (Answer::AskConsent(id), false, Some(tenant)),
    };
    let clinic = find_clinic(app, &wanted).await?;
    let pending = Pending {
        tenant: settled.or(match &wanted {
            Wanted::Id(id) => Some(*id),
            Wanted::Slug(_) => clinic.as_ref().map(|c| c.tenant_id),
            Wanted::Any => None,
        }),
        clinic: clinic.map(|c| (c.name, c.accent)),
        purpose: Purpose::Authorize(Box::new(request)),
        client_name: Some(client.name.clone()),
        login: None,
        has_chosen: false,
        anew,
    };
    app.db
        .run(interaction::authority(id), async |tx| {
            interaction::begin(tx, app, id, browser.digest(), &pending).await
        })
        .await?;
    Ok(answer)
}

/// A request that waits in this browser, with its client as it is registered now.
pub(super) struct Waiting {
    pub(super) interaction: Interaction,
    pub(super) request: Box<AuthorizeRequest>,
    pub(super) client: Client,
    wanted: Wanted,
}

impl Waiting {
    /// `None`: no such interaction of this browser, or none for an app, or its client is gone.
    pub(super) async fn find(
        app: &App,
        browser: &Browser,
        flow: InteractionId,
    ) -> Result<Option<Self>, StoreError> {
        let found = app
            .db
            .run(interaction::authority(flow), async |tx| {
                interaction::find(tx, app, flow, browser.digest()).await
            })
            .await?;
        let Some(interaction) = found else {
            return Ok(None);
        };
        let Purpose::Authorize(request) = interaction.pending.purpose.clone() else {
            return Ok(None);
        };
        let client = match ClientId::parse(&request.client_id) {
            Some(id) => find_client(app, &id).await?,
            None => None,
        };
        Ok(client.map(|client| Self {
            wanted: interaction.pending.tenant.map_or(Wanted::Any, Wanted::Id),
            interaction,
            request,
            client,
        }))
    }

    /// The same for [`settle`].
    pub(super) fn asked(&self) -> Asked<'_> {
        let pending = &self.interaction.pending;
        Asked {
            client: &self.client,
            request: &self.request,
            wanted: &self.wanted,
            chooses: self.request.prompt.contains(&Prompt::SelectAccount) && !pending.has_chosen,
            began_at: Some(self.interaction.created_at),
        }
    }
}

/// Coming back from the sign-in pages; `None`: no such interaction of this browser.
pub(super) async fn resume(
    app: &App,
    browser: &Browser,
    flow: InteractionId,
) -> Result<Option<Answer>, StoreError> {
    let Some(waiting) = Waiting::find(app, browser, flow).await? else {
        return Ok(None);
    };
    let outcome = settle(app, browser.session.as_ref(), &waiting.asked()).await?;
    let Waiting {
        mut interaction,
        request,
        ..
    } = waiting;
    let id = interaction.id;
    let answer = match outcome {
        Outcome::SignIn { anew } => {
            interaction.pending.anew = anew;
            keep(app, &interaction).await?;
            Answer::SignIn(id)
        }
        Outcome::ProveFactor => Answer::ProveFactor(id),
        Outcome::EnrollFactor => Answer::EnrollFactor(id),
        Outcome::ChooseClinic => Answer::ChooseClinic(id),
        Outcome::AskConsent(tenant) => {
            interaction.pending.tenant = Some(tenant);
            keep(app, &interaction).await?;
            Answer::AskConsent(id)
        }
        // Finished meanwhile by another tab of the browser: its code was given there.
        Outcome::Code(code) => {
            if !finished(app, id).await? {
                return Ok(None);
            }
            Answer::Code(request, code)
        }
        Outcome::Refuse(error) => {
            finished(app, id).await?;
            Answer::Refuse(request, error)
        }
    };
    Ok(Some(answer))
}

async fn keep(app: &App, interaction: &Interaction) -> Result<(), StoreError> {
    let authority = interaction::authority(interaction.id);
    app.db
        .run(authority, async |tx| {
            interaction::keep(tx, interaction).await
        })
        .await
}

async fn finished(app: &App, id: InteractionId) -> Result<bool, StoreError> {
    app.db
        .run(interaction::authority(id), async |tx| {
            interaction::finish(tx, app, id).await
        })
        .await
}

/// Ends a request because its person says no; false if it was finished before.
pub(super) async fn declined(app: &App, waiting: &Waiting) -> Result<bool, StoreError> {
    let id = waiting.interaction.id;
    app.db
        .run(interaction::authority(id), async |tx| {
            if !interaction::finish(tx, app, id).await? {
                return Ok(false);
            }
            let mut detail = client_service::told(&app.keys, &waiting.client.id, true);
            detail["reason"] = json!("declined");
            let event = EventType::AuthorizeRejected;
            audit::append(tx, &app.env, &app.keys, event, detail).await?;
            Ok(true)
        })
        .await
}

async fn find_clinic(app: &App, wanted: &Wanted) -> Result<Option<Clinic>, StoreError> {
    let Wanted::Slug(slug) = wanted else {
        return Ok(None);
    };
    let authority = Authority::<Identity>::claim(app.keys.locator("slug", slug));
    app.db
        .run(authority.read_only(), async |tx| {
            membership::find_clinic(tx, slug).await
        })
        .await
}
