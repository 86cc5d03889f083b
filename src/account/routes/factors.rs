//! Devices that make sign-in codes, and recovery codes.

use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{frame, signed_in, signed_out};
use crate::account::factors::{self, Changed, Enrolled, Freshness};
use crate::account::service::{self, Asked};
use crate::db::{Authority, Identity};
use crate::http::browser::SetCookies;
use crate::http::own_form::OwnForm;
use crate::http::page::{PageError, page};
use crate::http::visit::Visit;
use crate::identity::recovery_code::RecoveryCode;
use crate::identity::totp::DeviceName;
use crate::identity::totp::model::TypedCode;
use crate::ids::TotpId;
use crate::oidc::interaction::Purpose;
use crate::pages::{
    EndReason, EnrollPage, EnrollProblem, FactorDevice, FactorNotice, FactorsPage, Hidden, Qr,
    RecoveryCodesPage, paths,
};
use crate::sessions::PresentedSession;
use crate::sessions::present::Present;

/// Values of `?done=`.
const ADDED: &str = "added";
const REMOVED: &str = "removed";
const RENAMED: &str = "renamed";
const LAST_STAYS: &str = "last_stays";
const TOO_MANY: &str = "too_many";
/// The same, for who comes back from proving who she is.
pub(crate) const CONFIRMED: &str = "confirmed";

fn back(done: &str) -> Response {
    Redirect::to(&format!("{}?done={done}", paths::ACCOUNT_FACTORS)).into_response()
}

/// `GET /account/codes`.
pub(super) async fn show(visit: Visit) -> Response {
    let result = look(&visit);
    visit.answer(result.await)
}

async fn look(visit: &Visit) -> Result<Response, PageError> {
    let present = match signed_in(visit).await? {
        Ok(present) => present,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let seen = factors::look(&visit.app, &present).await?;
    let devices = seen.devices.into_iter().map(|device| FactorDevice {
        id: device.id.to_string(),
        name: device.name,
        added_at: device.confirmed_at,
        last_used_at: device.last_used_at,
    });
    let shown = FactorsPage {
        frame: frame(visit, &present, seen.clocks),
        csrf: Hidden::from(visit.browser.csrf()),
        now: visit.app.env.now(),
        devices: devices.collect(),
        codes_left: u32::try_from(seen.codes_left).unwrap_or_default(),
        is_required: seen.is_required,
        notice: match visit.parameter("done").as_deref() {
            Some(ADDED) => Some(FactorNotice::Added),
            Some(REMOVED) => Some(FactorNotice::Removed),
            Some(RENAMED) => Some(FactorNotice::Renamed),
            Some(LAST_STAYS) => Some(FactorNotice::LastStays),
            Some(TOO_MANY) => Some(FactorNotice::TooMany),
            Some(CONFIRMED) => Some(FactorNotice::Confirmed),
            _ => None,
        },
    };
    Ok(page(StatusCode::OK, &shown))
}

/// Someone signed in whose proof is fresh enough for a change, or where she proves it.
async fn fresh(visit: &Visit) -> Result<Result<Box<Present>, Response>, PageError> {
    let present = match signed_in(visit).await? {
        Ok(present) => present,
        Err(elsewhere) => return Ok(Err(elsewhere)),
    };
    Ok(match factors::freshness(&visit.app, &present).await? {
        Freshness::Fresh => Ok(present),
        stale => Err(prove(visit, stale).await?),
    })
}

async fn prove(visit: &Visit, stale: Freshness) -> Result<Response, PageError> {
    let (path, login) = match stale {
        Freshness::AskPassword(login) => (paths::SIGN_IN_PASSWORD, Some(login)),
        Freshness::AskFactor | Freshness::Fresh => (paths::SIGN_IN_CODE, None),
    };
    let (app, browser) = (&visit.app, visit.browser.digest());
    let asked = Asked {
        purpose: Purpose::Factors,
        login,
        anew: false,
    };
    let flow = service::ask(app, browser, asked).await?;
    Ok(Redirect::to(&format!("{path}?flow={flow}")).into_response())
}

/// `GET /account/codes/add`.
pub(super) async fn show_add(visit: Visit) -> Response {
    let result = async {
        match fresh(&visit).await? {
            Ok(present) => offer(&visit, &present, None).await,
            Err(elsewhere) => Ok(elsewhere),
        }
    };
    visit.answer(result.await)
}

async fn offer(
    visit: &Visit,
    present: &Present,
    problem: Option<EnrollProblem>,
) -> Result<Response, PageError> {
    let Some((begun, login)) = factors::enrollment(&visit.app, present).await? else {
        return Ok(Redirect::to(paths::ACCOUNT_FACTORS).into_response());
    };
    let address = begun.secret.address(&login);
    let shown = EnrollPage {
        frame: visit.frame(),
        csrf: Hidden::from(visit.browser.csrf()),
        flow: None,
        login,
        action: paths::ACCOUNT_FACTORS_ADD,
        qr: Qr::of(&address).ok_or(PageError::NotFound)?,
        address: Hidden::from(address),
        secret: Hidden::from(begun.secret.text()),
        may_postpone: false,
        way_back: None,
        problem,
    };
    let status = if problem.is_some() {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    Ok(page(status, &shown))
}

/// The form that ends setting a device up.
#[derive(Debug, Deserialize)]
pub(super) struct Adding {
    #[serde(default)]
    code: SecretString,
    #[serde(default)]
    name: String,
}

/// `POST /account/codes/add`.
pub(super) async fn add(OwnForm { visit, fields }: OwnForm<Adding>) -> Response {
    let result = take(&visit, &fields);
    visit.answer(result.await)
}

async fn take(visit: &Visit, fields: &Adding) -> Result<Response, PageError> {
    let present = match signed_in(visit).await? {
        Ok(present) => present,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let presented = visit.browser.session.as_ref().ok_or(PageError::NotFound)?;
    let Some(name) = DeviceName::parse(&fields.name) else {
        return offer(visit, &present, Some(EnrollProblem::Name)).await;
    };
    let (app, code) = (&visit.app, TypedCode::parse(fields.code.expose_secret()));
    let authority = Authority::<Identity>::claim(presented.id.as_uuid());
    let enrolled = app.db.run(authority, async |tx| {
        factors::enroll(tx, app, presented, &name, code.as_ref()).await
    });
    let enrolled = enrolled.await?;
    app.metrics.factor_enrolled(enrolled.word());
    Ok(match enrolled {
        Enrolled::Done(secret, codes) => {
            let cookies = SetCookies::default().session(&secret.cookie_value(presented.id));
            let to = format!("{}?done={ADDED}", paths::ACCOUNT_FACTORS);
            if codes.is_empty() {
                (cookies, Redirect::to(&to)).into_response()
            } else {
                (cookies, codes_page(visit, &codes, to)).into_response()
            }
        }
        Enrolled::Mismatch => return offer(visit, &present, Some(EnrollProblem::Mismatch)).await,
        Enrolled::TooMany => back(TOO_MANY),
        Enrolled::Nothing => Redirect::to(paths::ACCOUNT_FACTORS).into_response(),
        Enrolled::SignedOut => signed_out(EndReason::Elsewhere),
    })
}

/// New recovery codes, in the one answer that ever holds them.
pub(crate) fn codes_page(visit: &Visit, codes: &[RecoveryCode], onward: String) -> Response {
    let shown = RecoveryCodesPage {
        frame: visit.frame(),
        codes: codes
            .iter()
            .map(|code| Hidden::from(code.shown()))
            .collect(),
        onward,
    };
    page(StatusCode::OK, &shown)
}

/// The form about one device.
#[derive(Debug, Deserialize)]
pub(super) struct OfDevice {
    device: String,
    #[serde(default)]
    name: String,
}

impl OfDevice {
    fn id(&self) -> Result<TotpId, PageError> {
        self.device.parse().map_err(|_| PageError::NotFound)
    }
}

/// `POST /account/codes/remove`.
pub(super) async fn remove(OwnForm { visit, fields }: OwnForm<OfDevice>) -> Response {
    let result = async {
        let presented = match changer(&visit).await? {
            Ok(presented) => presented,
            Err(elsewhere) => return Ok(elsewhere),
        };
        let changed = factors::remove(&visit.app, presented, fields.id()?).await?;
        if let Changed::Done(()) = changed {
            visit.app.metrics.factor_removed();
        }
        after(&visit, changed, REMOVED).await
    };
    visit.answer(result.await)
}

/// `POST /account/codes/rename`.
pub(super) async fn rename(OwnForm { visit, fields }: OwnForm<OfDevice>) -> Response {
    let result = async {
        let presented = match changer(&visit).await? {
            Ok(presented) => presented,
            Err(elsewhere) => return Ok(elsewhere),
        };
        let name = DeviceName::parse(&fields.name).ok_or(PageError::BadRequest {
            detail: "no name",
            field: Some("name"),
        })?;
        let changed = factors::rename(&visit.app, presented, fields.id()?, &name).await?;
        after(&visit, changed, RENAMED).await
    };
    visit.answer(result.await)
}

/// A form with nothing but its token.
#[derive(Debug, Deserialize)]
pub(super) struct Nothing {}

/// `POST /account/codes/recovery`.
pub(super) async fn renew_codes(OwnForm { visit, .. }: OwnForm<Nothing>) -> Response {
    let result = async {
        let presented = match changer(&visit).await? {
            Ok(presented) => presented,
            Err(elsewhere) => return Ok(elsewhere),
        };
        match factors::renew_codes(&visit.app, presented).await? {
            Changed::Done(codes) => {
                let onward = paths::ACCOUNT_FACTORS.to_owned();
                Ok(codes_page(&visit, &codes, onward))
            }
            Changed::Unknown | Changed::LastStays => Err(PageError::NotFound),
            Changed::Stale => prove(&visit, Freshness::AskFactor).await,
            Changed::SignedOut => Ok(signed_out(EndReason::Elsewhere)),
        }
    };
    visit.answer(result.await)
}

/// The session of someone who may change her factors just now, or where she proves that she may.
async fn changer(visit: &Visit) -> Result<Result<&PresentedSession, Response>, PageError> {
    if let Err(elsewhere) = fresh(visit).await? {
        return Ok(Err(elsewhere));
    }
    let presented = visit.browser.session.as_ref();
    presented.map(Ok).ok_or(PageError::NotFound)
}

async fn after(visit: &Visit, changed: Changed<()>, done: &str) -> Result<Response, PageError> {
    Ok(match changed {
        Changed::Done(()) => back(done),
        Changed::Unknown => return Err(PageError::NotFound),
        Changed::LastStays => back(LAST_STAYS),
        Changed::Stale => return prove(visit, Freshness::AskFactor).await,
        Changed::SignedOut => signed_out(EndReason::Elsewhere),
    })
}
