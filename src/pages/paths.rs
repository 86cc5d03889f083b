//! Paths that the templates link and post to. Routes are mounted on the same constants.

/// Issuer. `GET ?flow=`: [`super::IdentifierPage`]; `POST csrf, flow, login`.
pub const SIGN_IN: &str = "/sign-in";
/// Issuer. `GET ?flow=`: [`super::PasswordPage`]; `POST csrf, flow, password`.
pub const SIGN_IN_PASSWORD: &str = "/sign-in/password";
/// Issuer. `GET ?flow=`: [`super::ChooserPage`]; `POST csrf, flow, organization`.
pub const SIGN_IN_CLINIC: &str = "/sign-in/clinic";
/// Issuer. `GET ?flow=`: [`super::CodePage`]; `POST csrf, flow, code`.
pub const SIGN_IN_CODE: &str = "/sign-in/code";
/// Issuer. `GET ?flow=`: [`super::RecoveryCodePage`]; `POST csrf, flow, code`.
pub const SIGN_IN_RECOVERY_CODE: &str = "/sign-in/recovery-code";
/// Issuer. `GET ?flow=`: [`super::EnrollPage`]; `POST csrf, flow, code`.
pub const SIGN_IN_ENROLL: &str = "/sign-in/enroll";
/// Issuer. `POST csrf, flow`: she uses her one sign-in without a second factor.
pub const SIGN_IN_ENROLL_LATER: &str = "/sign-in/enroll/later";
/// Issuer. `POST csrf, flow`: back to the app that asked ([`super::WayBack::App`]).
pub const SIGN_IN_DECLINE: &str = "/sign-in/decline";
/// Issuer. `GET ?flow=`: [`super::ConsentPage`]; `POST csrf, flow, asked, decision`.
pub const CONSENT: &str = "/consent";
/// Issuer. `POST csrf, clinic, client`: takes back what an app may see.
pub const ACCOUNT_REMOVE_APP: &str = "/account/apps/remove";
/// Issuer. `GET`: [`super::AccountPage`].
pub const ACCOUNT: &str = "/account";
/// Issuer. `POST csrf, session`: ends one session of the account.
pub const ACCOUNT_END_SESSION: &str = "/account/sessions/end";
/// Issuer. `POST csrf`: ends all sessions of the account, this one too.
pub const ACCOUNT_END_ALL: &str = "/account/sessions/end-all";
/// Issuer. `GET`: [`super::ChangePasswordPage`]; `POST csrf, current_password, new_password`.
pub const ACCOUNT_PASSWORD: &str = "/account/password";
/// Issuer. `GET`: [`super::FactorsPage`].
pub const ACCOUNT_FACTORS: &str = "/account/codes";
/// Issuer. `GET`: [`super::EnrollPage`]; `POST csrf, code, name`.
pub const ACCOUNT_FACTORS_ADD: &str = "/account/codes/add";
/// Issuer. `POST csrf, device`: removes one.
pub const ACCOUNT_FACTORS_REMOVE: &str = "/account/codes/remove";
/// Issuer. `POST csrf, device, name`: gives one another name.
pub const ACCOUNT_FACTORS_RENAME: &str = "/account/codes/rename";
/// Issuer. `POST csrf`: [`super::RecoveryCodesPage`] with new ones.
pub const ACCOUNT_RECOVERY_CODES: &str = "/account/codes/recovery";
/// Issuer. `GET`: [`super::SupportPage`].
pub const ACCOUNT_SUPPORT: &str = "/account/access";
/// Issuer. `POST csrf, clinic, grant, decision`: she lets support act, or not.
pub const ACCOUNT_SUPPORT_ANSWER: &str = "/account/access/answer";
/// Issuer. `POST csrf, clinic, grant`: ends it, or takes a yes back.
pub const ACCOUNT_SUPPORT_END: &str = "/account/access/end";
/// Issuer. `GET`: [`super::EnterPage`]; `POST csrf, client`: into that app.
pub const IMPERSONATION_ENTER: &str = "/impersonation/{grant}/enter";
/// Issuer. `POST csrf`: who acts ends it.
pub const IMPERSONATION_END: &str = "/impersonation/{grant}/end";
/// Issuer. `GET ?flow=`: [`super::RecoveryPage`]; `POST csrf, flow, login`.
pub const RECOVERY: &str = "/recovery";
/// Issuer. `GET ?key=`: the link in the mail; leads to [`RECOVERY_NEW`].
pub const RECOVERY_LINK: &str = "/recovery/link";
/// Issuer. `GET`: [`super::NewPasswordPage`]; `POST csrf, new_password`.
pub const RECOVERY_NEW: &str = "/recovery/new";
/// Issuer. `GET`: [`super::RecoveryDonePage`].
pub const RECOVERY_DONE: &str = "/recovery/done";
/// Issuer. `POST csrf, logout`: the person said yes on [`super::LogoutConfirmPage`].
pub const LOGOUT_CONFIRM: &str = "/logout/confirm";

/// Apps. `GET`: starts the code flow. The same path as the issuer's, on another origin.
pub const APP_SIGN_IN: &str = "/sign-in";
/// Console. `POST csrf, text`: tells the clinic's people something.
pub const APP_ANNOUNCEMENT: &str = "/announcement";
/// Consoles. `GET ?person=&type=&actor=&trace=&clinic=&before=&verify=&proven=`:
/// [`super::LogPage`].
pub const APP_LOG: &str = "/log";
/// Consoles. `GET`: JSON `{size}`, how many entries there are. Never counts as activity.
pub const APP_LOG_NEWS: &str = "/log/news";
/// Consoles. `POST csrf`: the whole log, to take along (docs/AUDIT-FORMAT.md).
pub const APP_LOG_EXPORT: &str = "/log/export";
/// Console. `GET ?after=&done=`: [`super::ReviewsPage`]; `POST csrf, index, verdict`.
pub const APP_REVIEWS: &str = "/reviews";
/// Patient portal. `GET ?before=`: [`super::AccessesPage`].
pub const APP_ACCESSES: &str = "/accesses";
/// Clinician portal. `GET ?done=`: [`super::EmergencyPage`]; `POST csrf, patient, reason, why`.
pub const APP_EMERGENCY: &str = "/emergency";
/// Clinician portal. `POST csrf, name`: the same page, with whom that finds.
pub const APP_EMERGENCY_PATIENTS: &str = "/emergency/patients";
/// Clinician portal. `POST csrf, id`: he needs it no more.
pub const APP_EMERGENCY_CLOSE: &str = "/emergency/close";
/// Clinician portal. `GET ?id=`: [`super::RecordPage`].
pub const APP_EMERGENCY_VISITS: &str = "/emergency/visits";
/// Console. `GET ?done=`: [`super::EmergenciesPage`]; `POST csrf, id, finding, note`.
pub const APP_EMERGENCIES: &str = "/emergencies";
/// Patient portal. `GET ?done=`: [`super::ProxiesPage`]; `POST csrf, id`: ends one.
pub const APP_PROXIES: &str = "/proxies";
/// Patient portal. `POST csrf, number, visits, accesses, valid_until`: names a caregiver.
pub const APP_PROXIES_NAME: &str = "/proxies/name";
/// Patient portal. `GET ?id=`: [`super::RecordPage`].
pub const APP_PROXIES_VISITS: &str = "/proxies/visits";
/// Console. `GET ?done=`: [`super::ClinicSupportPage`]; `POST csrf, grant, decision`: says yes or
/// no.
pub const APP_SUPPORT: &str = "/support";
/// Console. `POST csrf, grant`: ends one.
pub const APP_SUPPORT_END: &str = "/support/end";
/// Console. `GET ?done=`: [`super::DelegationsPage`]; `POST csrf, patient, proxy, basis, document,
/// ages_out_on, valid_until`: writes one down.
pub const APP_DELEGATIONS: &str = "/delegations";
/// Console. `POST csrf, id`: ends one.
pub const APP_DELEGATIONS_END: &str = "/delegations/end";
/// Platform console. `GET ?done=`: [`super::ActingPage`]; `POST csrf, clinic, subject, reason,
/// ticket, preset, minutes`: support asks to act.
pub const PLATFORM_SUPPORT: &str = "/support";
/// Platform console. `POST csrf, grant`: its minutes begin.
pub const PLATFORM_SUPPORT_START: &str = "/support/start";
/// Platform console. `POST csrf, grant, as`: ends one, as who acts (`own`) or who oversees.
pub const PLATFORM_SUPPORT_STOP: &str = "/support/stop";
/// Platform console. `POST csrf`: ends all, of all clinics.
pub const PLATFORM_SUPPORT_STOP_ALL: &str = "/support/stop-all";
/// Platform console. `GET`: [`super::FleetPage`].
pub const PLATFORM_VERIFIERS: &str = "/verifiers";
/// Platform console. `GET ?done=`: [`super::EndingsPage`].
pub const PLATFORM_ENDINGS: &str = "/endings";
/// Platform console. `POST csrf, clinic, again, reason`: ends everything of a clinic.
pub const PLATFORM_END_SESSIONS: &str = "/endings/sessions";
/// Platform console. `POST csrf, kid, sure`: withdraws a key.
pub const PLATFORM_WITHDRAW_KEY: &str = "/endings/key";
/// Apps. `POST csrf`: signs out here and everywhere.
pub const APP_SIGN_OUT: &str = "/sign-out";

/// Issuer and apps. `GET ?reason=`: [`super::SignedOutPage`]. With a live session: go home.
pub const SIGNED_OUT: &str = "/signed-out";
/// Issuer and apps. `GET`: JSON `{server_now, idle_ends_at, session_ends_at, signed_in}`, unix
/// milliseconds. Never counts as activity.
pub const SESSION: &str = "/session";
/// Issuer and apps. `POST csrf`: a person did something. Answers like [`SESSION`] to `Accept:
/// application/json`, else 303 to the page it came from.
pub const SESSION_ACTIVITY: &str = "/session/activity";
/// Where [`super::asset`]s are served.
pub const ASSETS: &str = "/assets/";

/// [`IMPERSONATION_ENTER`] of one grant.
pub fn impersonation_enter(grant: &str) -> String {
    IMPERSONATION_ENTER.replace("{grant}", grant)
}

/// [`IMPERSONATION_END`] of one grant.
pub fn impersonation_end(grant: &str) -> String {
    IMPERSONATION_END.replace("{grant}", grant)
}
