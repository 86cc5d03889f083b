//! `/api/v1/announcement`.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use lanyard_verifier::Verified;
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::model::{Announcement, AnnouncementText};
use super::store;
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{AccessClass, Authority, StoreError, Tenancy};
use crate::http::problem::Problem;
use crate::ids::SubjectId;

/// An announcement on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Announcement)]
pub struct AnnouncementBody {
    text: String,
    #[serde(with = "time::serde::rfc3339")]
    written_at: OffsetDateTime,
}

impl From<Announcement> for AnnouncementBody {
    fn from(announcement: Announcement) -> Self {
        Self {
            text: announcement.body,
            written_at: announcement.written_at,
        }
    }
}

/// What to say from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewAnnouncement)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// 1 to 500 characters once the spaces around are gone; lines may be broken.
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = "^(\\r\\n|[^\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f])*\
                   [^\\s\\u0000-\\u001f\\u007f-\\u009f]\
                   (\\r\\n|[^\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f])*$"
    )]
    text: String,
}

/// `POST /api/v1/announcement`: tells the clinic's people something. On the record, without the
/// text.
pub async fn write(
    State(app): State<App>,
    caller: Verified,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Result<Json<AnnouncementBody>, Problem> {
    let text = wanted
        .ok()
        .and_then(|Json(wanted)| AnnouncementText::parse(&wanted.text))
        .ok_or(Problem::BadRequest { field: "text" })?;
    let authority = Authority::<Tenancy>::of(&caller, AccessClass::CareTeam);
    let by = SubjectId::from_uuid(caller.subject().as_uuid());
    let at = app.env.now();
    app.db
        .run(authority, async |tx| {
            let tenant = tx.tenant()?;
            let id = app.env.random_uuid();
            store::insert(tx, (tenant, id), &text, by, at).await?;
            let detail = json!({ "announcement": id, "client_id": caller.client_id() });
            audit::append(
                tx,
                &app.env,
                &app.keys,
                EventType::AnnouncementChanged,
                detail,
            )
            .await?;
            Ok::<_, StoreError>(())
        })
        .await?;
    let announcement = Announcement {
        body: text.as_str().to_owned(),
        written_at: at,
    };
    Ok(Json(announcement.into()))
}
