//! `/api/v1/me`, `/api/v1/clinic`, `/api/v1/members`.

use axum::Json;
use axum::extract::State;
use lanyard_verifier::Verified;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::model::{ClinicFacts, MemberFacts};
use super::store;
use crate::app::App;
use crate::audit::{self, EventType};
use crate::db::{AccessClass, Authority, StoreError, Tenancy};
use crate::http::problem::Problem;
use crate::ids::{SubjectId, TenantId};
use crate::tenancy::announcement::{self, routes::AnnouncementBody};

/// More members than a page shows.
const MOST_MEMBERS: i64 = 200;

/// A person as a member of the clinic.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub struct MemberBody {
    /// The `sub` of her tokens in this clinic; another one in every other.
    #[schema(value_type = Uuid)]
    id: SubjectId,
    /// As the clinic calls her.
    #[schema(examples("Ada Quill"))]
    name: String,
    /// `active`, `suspended` or `ended`.
    #[schema(examples("active"))]
    status: String,
    /// Sorted.
    #[schema(examples(json!(["patient"])))]
    roles: Vec<String>,
}

impl From<MemberFacts> for MemberBody {
    fn from(member: MemberFacts) -> Self {
        Self {
            id: member.subject_id,
            name: member.display_name,
            status: member.status,
            roles: member.roles,
        }
    }
}

/// A clinic.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Clinic)]
pub struct ClinicBody {
    /// The `tid` of its tokens.
    #[schema(value_type = Uuid)]
    id: TenantId,
    /// In its addresses.
    #[schema(examples("juniper"))]
    slug: String,
    /// As it calls itself.
    #[schema(examples("Juniper Family Clinic"))]
    name: String,
    /// The name of its color.
    #[schema(examples("juniper"))]
    accent: String,
    /// `active` or `suspended`.
    #[schema(examples("active"))]
    status: String,
}

impl From<ClinicFacts> for ClinicBody {
    fn from(clinic: ClinicFacts) -> Self {
        Self {
            id: clinic.tenant_id,
            slug: clinic.slug,
            name: clinic.name,
            accent: clinic.accent,
            status: clinic.status,
        }
    }
}

/// The caller, her clinic, and what that says just now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Me)]
pub struct MeBody {
    me: MemberBody,
    clinic: ClinicBody,
    /// What the app was granted.
    #[schema(examples(json!(["openid", "profile:read"])))]
    scopes: Vec<String>,
    announcement: Option<AnnouncementBody>,
}

/// `GET /api/v1/me`: who the token says is calling, in the clinic's words.
pub async fn me(State(app): State<App>, caller: Verified) -> Result<Json<MeBody>, Problem> {
    let authority = Authority::<Tenancy>::of(&caller, AccessClass::NoRecords).read_only();
    let subject = SubjectId::from_uuid(caller.subject().as_uuid());
    let found = app
        .db
        .run(authority, async |tx| {
            let tenant = tx.tenant()?;
            let me = store::list_named(tx, tenant, &[subject]).await?.pop();
            let clinic = store::find_clinic(tx, tenant).await?;
            let announcement = announcement::store::find(tx, tenant).await?;
            Ok::<_, StoreError>(me.zip(clinic).zip(Some(announcement)))
        })
        .await?;
    let ((me, clinic), announcement) = found.ok_or(Problem::NotFound)?;
    let scopes = caller.scopes().to_vec();
    Ok(Json(MeBody {
        me: me.into(),
        clinic: clinic.into(),
        scopes,
        announcement: announcement.map(AnnouncementBody::from),
    }))
}

/// `GET /api/v1/clinic`: the token's clinic.
pub async fn clinic(State(app): State<App>, caller: Verified) -> Result<Json<ClinicBody>, Problem> {
    let authority = Authority::<Tenancy>::of(&caller, AccessClass::NoRecords).read_only();
    let clinic = app
        .db
        .run(authority, async |tx| {
            let tenant = tx.tenant()?;
            store::find_clinic(tx, tenant).await
        })
        .await?;
    clinic
        .map(|clinic| Json(clinic.into()))
        .ok_or(Problem::NotFound)
}

/// Members by name, 200 at most.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Members)]
pub struct MembersBody {
    members: Vec<MemberBody>,
}

/// `GET /api/v1/members`: who belongs to the clinic, by name. On the record.
pub async fn members(
    State(app): State<App>,
    caller: Verified,
) -> Result<Json<MembersBody>, Problem> {
    let authority = Authority::<Tenancy>::of(&caller, AccessClass::NoRecords);
    let members = app
        .db
        .run(authority, async |tx| {
            let tenant = tx.tenant()?;
            let members = store::list(tx, tenant, MOST_MEMBERS).await?;
            let detail = json!({ "count": members.len(), "client_id": caller.client_id() });
            audit::append(tx, &app.env, &app.keys, EventType::MemberListed, detail).await?;
            Ok::<_, StoreError>(members)
        })
        .await?;
    Ok(Json(MembersBody {
        members: members.into_iter().map(MemberBody::from).collect(),
    }))
}
