//! Mail to be sent: written in the transaction of its cause, delivered after commit
//! ([`crate::mail`]).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Identity, StoreError, Tx};
use crate::env::Env;
use crate::ids::{AccountId, TenantId};

/// Which of a delegation's two is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// For whom somebody acts.
    Patient,
    /// Who acts.
    Proxy,
}

/// What a person is told. Its fields are words we made, never typed text or PHI; a secret only as
/// ciphertext, and not for longer than it takes to deliver it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "parameters", rename_all = "snake_case")]
pub enum MailKind {
    /// A refresh token was used twice, so the sign-in of that app was ended.
    ReusedToken {
        /// The app, by its registered name.
        client_name: String,
    },
    /// She signed in with a browser that was not seen before.
    NewDevice {
        /// `Firefox on Windows`.
        device: String,
    },
    /// Her password was changed.
    PasswordChanged {},
    /// A device for second factors was set up.
    FactorAdded {},
    /// One was removed.
    FactorRemoved {},
    /// An operator took all second factors away.
    FactorsReset {},
    /// New recovery codes were made.
    RecoveryCodesMade {},
    /// One was used.
    RecoveryCodeUsed {
        /// How many are still good.
        left: i64,
    },
    /// Support wants to act as her, and waits for her yes.
    SupportAsks {
        /// The clinic, as it calls itself.
        clinic: String,
    },
    /// Support wants to act as somebody of the clinic, and waits for an administrator's yes: each
    /// is told. Written by the database alone (`clerk.tell_of_a_request`), with the request.
    SupportAsksClinic {
        /// The clinic, as it calls itself.
        clinic: String,
    },
    /// Support acts as her from now on.
    SupportActs {
        /// The clinic, as it calls itself.
        clinic: String,
        /// For how long at most.
        minutes: i16,
    },
    /// A clinician opened a record in an emergency: told to who reviews it. Written by the database
    /// alone (`clerk.alert_of_emergency`), with the access itself.
    EmergencyOpened {
        /// The clinician, as the clinic calls him.
        clinician: String,
        /// The clinic, as it calls itself.
        clinic: String,
    },
    /// A delegation was written down: told to both.
    DelegationMade {
        /// The clinic, as it calls itself.
        clinic: String,
        /// Which of the two reads it.
        side: Side,
    },
    /// It is over: told to both.
    DelegationEnded {
        /// The clinic, as it calls itself.
        clinic: String,
        /// Which of the two reads it.
        side: Side,
    },
    /// Somebody asked for a link to set a new password.
    PasswordRecovery {
        /// The link's text, base64 of what [`crate::secret::Keys::wrap`] made for
        /// [`sealed_place`]; gone when it was delivered.
        #[serde(default)]
        sealed: Option<String>,
        /// When the link ends, unix seconds.
        expires_at: i64,
    },
}

/// Where a message's ciphertext belongs.
pub(crate) fn sealed_place(message: Uuid) -> String {
    format!("outbox.message/{message}/sealed")
}

impl MailKind {
    /// As it stands in the table.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ReusedToken { .. } => "reused_token",
            Self::NewDevice { .. } => "new_device",
            Self::PasswordChanged {} => "password_changed",
            Self::FactorAdded {} => "factor_added",
            Self::FactorRemoved {} => "factor_removed",
            Self::FactorsReset {} => "factors_reset",
            Self::RecoveryCodesMade {} => "recovery_codes_made",
            Self::RecoveryCodeUsed { .. } => "recovery_code_used",
            Self::SupportAsks { .. } => "support_asks",
            Self::SupportAsksClinic { .. } => "support_asks_clinic",
            Self::SupportActs { .. } => "support_acts",
            Self::EmergencyOpened { .. } => "emergency_opened",
            Self::DelegationMade { .. } => "delegation_made",
            Self::DelegationEnded { .. } => "delegation_ended",
            Self::PasswordRecovery { .. } => "password_recovery",
        }
    }

    /// As [`post`] stored it.
    pub(crate) fn read(kind: &str, parameters: &serde_json::Value) -> Result<Self, StoreError> {
        let stored = serde_json::json!({ "kind": kind, "parameters": parameters });
        serde_json::from_value(stored).map_err(|_| StoreError::Corrupt {
            table: "outbox.message",
            what: "a message that can't be read",
        })
    }
}

/// Posts a message to an account's person, in the transaction of what it tells of.
///
/// It belongs to the transaction's tenant, or to the platform before one is known.
pub async fn post(
    tx: &mut Tx<Identity>,
    env: &Env,
    to: AccountId,
    mail: &MailKind,
) -> Result<(), StoreError> {
    let told = serde_json::to_value(mail).expect("strings serialize");
    sqlx::query(
        "insert into outbox.message
           (tenant_id, message_id, account_id, kind, parameters, created_at)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(tx.tenant().unwrap_or(TenantId::PLATFORM))
    .bind(env.random_uuid())
    .bind(to)
    .bind(mail.name())
    .bind(&told["parameters"])
    .bind(env.now())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Posts a message to whom the claimed login belongs, if it is an active account's: the same
/// statement for a login that is nobody's, in the claim's transaction.
pub(crate) async fn post_to_login(
    tx: &mut Tx<Identity>,
    env: &Env,
    message: Uuid,
    login_locator: Uuid,
    mail: &MailKind,
) -> Result<(), StoreError> {
    let told = serde_json::to_value(mail).expect("strings and numbers serialize");
    sqlx::query(
        "insert into outbox.message
           (tenant_id, message_id, account_id, kind, parameters, created_at)
         select $1, $2, a.account_id, $4, $5, $6
         from identity.account a
         where a.login_locator = $3 and a.status = 'active'",
    )
    .bind(TenantId::PLATFORM)
    .bind(message)
    .bind(login_locator)
    .bind(mail.name())
    .bind(&told["parameters"])
    .bind(env.now())
    .execute(tx.conn())
    .await?;
    Ok(())
}
