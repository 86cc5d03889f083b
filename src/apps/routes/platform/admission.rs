//! Who may have a session of the platform's console: its own staff, and nobody else.

use super::{is_support, oversees};
use crate::apps::RelyingParty;
use crate::apps::api::{ApiError, Me};
use crate::apps::model::{Kind, Tokens};
use crate::apps::routes::outcome::AppError;
use crate::ids::TenantId;

/// Before a session begins with these tokens; nothing is asked at another app.
///
/// # Errors
/// [`AppError::NotStaff`]: of a clinic, or of the platform without a role of its staff.
pub(in crate::apps::routes) async fn admit(
    rp: &RelyingParty,
    tokens: &Tokens,
) -> Result<(), AppError> {
    if rp.kind() != Kind::Platform {
        return Ok(());
    }
    if tokens.clinic.id != TenantId::PLATFORM.as_uuid() {
        return Err(AppError::NotStaff);
    }
    match rp.api().get::<Me>("me", &tokens.access_token, false).await {
        Ok(me) if is_support(&me.me) || oversees(&me.me) => Ok(()),
        Ok(_) | Err(ApiError::Refused(_) | ApiError::StepUp(_)) => Err(AppError::NotStaff),
        Err(error @ ApiError::Failed(_)) => Err(AppError::Issuer(format!("{error:?}"))),
    }
}
