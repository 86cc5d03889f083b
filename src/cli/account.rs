//! `lanyard account`.

use secrecy::ExposeSecret as _;
use serde_json::json;

use super::args::{Account as Asked, PasswordFrom};
use super::operator::Operator;
use super::output::{Failure, Reply};
use super::site::{self, Site};
use super::tenant;
use super::typed::{self, Password};
use crate::env::Env;
use crate::identity::administration::SUPER_ADMIN;
use crate::identity::bootstrap::{BootstrapSecret, RedeemOutcome};
use crate::identity::erasure::EraseOutcome;
use crate::identity::model::{
    AccountOutcome, EnrollOutcome, MembershipOutcome, NewAccount, NewMembership,
};
use crate::identity::password::Hasher;
use crate::identity::{AccountName, Login};
use crate::ids::{AccountId, SubjectId, TenantId};

pub(super) fn run(asked: Asked, site: &Site) -> Result<Reply, Failure> {
    match asked {
        Asked::Create {
            login,
            name,
            tenant,
            role,
            bootstrap,
            password,
        } => {
            let new = NewAccount {
                login: parse_login(&login)?,
                name: parse_name(&name)?,
            };
            if bootstrap {
                return redeem(site, &new, password);
            }
            refuse_administrators(tenant.as_deref(), &role)?;
            let password = typed::password(password, &site.env)?;
            site.operate(async |operator| {
                create(
                    operator,
                    &site.env,
                    &new,
                    &password,
                    tenant.as_deref().zip(Some(role)),
                )
                .await
            })
        }
        Asked::Join {
            login,
            tenant,
            role,
            name,
        } => {
            let login = parse_login(&login)?;
            let name = name.as_deref().map(parse_name).transpose()?;
            refuse_administrators(Some(&tenant), &role)?;
            site.operate(async |operator| join(operator, &login, &tenant, role, name).await)
        }
        Asked::Factors { login } => {
            let login = parse_login(&login)?;
            site.operate(async |operator| factors(operator, &login).await)
        }
        Asked::ResetFactors { login } => {
            let login = parse_login(&login)?;
            site.operate(async |operator| reset_factors(operator, &login).await)
        }
        Asked::Recover { login, password } => {
            let login = parse_login(&login)?;
            let password = typed::password(password, &site.env)?;
            site.operate(async |o| recover(o, &site.env, &login, &password).await)
        }
        Asked::Erase {
            login,
            confirm,
            force,
        } => {
            let login = parse_login(&login)?;
            if parse_login(&confirm)? != login {
                return Err(Failure::usage(
                    "--confirm does not repeat the login",
                    "Who is erased can't be brought back.",
                ));
            }
            site.operate(async |operator| erase(operator, &login, force).await)
        }
    }
}

fn parse_login(text: &str) -> Result<Login, Failure> {
    Login::parse(text).ok_or_else(|| {
        Failure::usage(
            "a login has 3 to 254 characters and no spaces",
            "Choose another one.",
        )
    })
}

fn parse_name(text: &str) -> Result<AccountName, Failure> {
    AccountName::parse(text).ok_or_else(|| {
        Failure::usage(
            "a person's name has 1 to 120 characters",
            "Choose another one.",
        )
    })
}

/// Whoever may do everything is made with a one-time secret, so that it is an event of its own.
fn refuse_administrators(tenant: Option<&str>, roles: &[String]) -> Result<(), Failure> {
    if tenant == Some("platform") && roles.iter().any(|role| role == SUPER_ADMIN) {
        return Err(Failure::refused(
            format!("{SUPER_ADMIN} is given with a one-time secret alone"),
            "Run `lanyard recover administrator`, then `lanyard account create --bootstrap`.",
        ));
    }
    Ok(())
}

async fn hash(password: &Password, env: &Env) -> Result<String, Failure> {
    let salt = env.random_bytes();
    Hasher::new(1, 1)
        .hash(&password.secret, salt)
        .await
        .map_err(|e| Failure::refused(e.to_string(), "Choose another password."))
}

fn shown_password(password: &Password) -> (serde_json::Value, String) {
    if !password.is_generated {
        return (serde_json::Value::Null, String::new());
    }
    let secret = password.secret.expose_secret();
    (json!(secret), format!("\nPassword, shown once: {secret}"))
}

async fn create(
    operator: &Operator<'_>,
    env: &Env,
    new: &NewAccount,
    password: &Password,
    joins: Option<(&str, Vec<String>)>,
) -> Result<Reply, Failure> {
    // Looked up and hashed before anything is written.
    let joins = match joins {
        Some((slug, roles)) => Some((tenant::load(operator, slug).await?, roles)),
        None => None,
    };
    let phc = hash(password, env).await?;
    let (account, subject) = match joins {
        None => match operator
            .create_account(new, &phc)
            .await
            .map_err(|e| site::store(&e))?
        {
            AccountOutcome::Created(account) => (account, None),
            AccountOutcome::LoginTaken => return Err(login_taken()),
        },
        Some((tenant, roles)) => {
            let outcome = operator.enroll(new, &phc, (tenant.id, roles)).await;
            match outcome.map_err(|e| site::store(&e))? {
                EnrollOutcome::Enrolled(account, subject) => (account, Some(subject)),
                EnrollOutcome::LoginTaken => return Err(login_taken()),
                EnrollOutcome::NotAMember(why) => return Err(not_a_member(why)),
            }
        }
    };
    let (secret, secret_text) = shown_password(password);
    let facts = json!({
        "account_id": account.to_string(),
        "subject_id": subject.map(|s| s.to_string()),
        "password": secret,
    });
    let member = subject
        .map(|s| format!("\nMember with subject {s}."))
        .unwrap_or_default();
    Ok(Reply::new(
        &facts,
        format!("Made account {account}.{member}{secret_text}"),
    ))
}

fn login_taken() -> Failure {
    Failure::refused(
        "somebody has that login already",
        "Use `lanyard account join` to let them join a clinic.",
    )
}

fn not_a_member(why: MembershipOutcome) -> Failure {
    match why {
        MembershipOutcome::Created(_) => Failure::failed("a membership was made", "Look at it."),
        MembershipOutcome::AlreadyMember => Failure::refused(
            "this account is a member there already",
            "A membership is made once; its roles are changed by the clinic.",
        ),
        MembershipOutcome::NoSuchRole { given, known } => Failure::refused(
            format!("`{given}` is no role there; nothing was made"),
            format!("Use one of {}.", known.join(", ")),
        ),
        MembershipOutcome::NoRole => {
            Failure::usage("no role was named", "Name at least one with --role.")
        }
    }
}

async fn join(
    operator: &Operator<'_>,
    login: &Login,
    slug: &str,
    roles: Vec<String>,
    name: Option<AccountName>,
) -> Result<Reply, Failure> {
    let tenant = tenant::load(operator, slug).await?;
    let found = operator
        .find_account(login)
        .await
        .map_err(|e| site::store(&e))?;
    let account = found.ok_or_else(nobody)?;
    let own = || AccountName::parse(&account.name);
    let name = name.or_else(own).ok_or_else(|| {
        Failure::failed(
            "the account's own name can't be used",
            "Name one with --name.",
        )
    })?;
    let new = NewMembership {
        tenant: tenant.id,
        account: account.id,
        name,
        roles,
    };
    let outcome = operator
        .create_membership(&new)
        .await
        .map_err(|e| site::store(&e))?;
    let MembershipOutcome::Created(subject) = outcome else {
        return Err(not_a_member(outcome));
    };
    let facts = membership_facts(account.id, tenant.id, subject);
    Ok(Reply::new(
        &facts,
        format!("Member of {slug} with subject {subject}."),
    ))
}

fn membership_facts(account: AccountId, tenant: TenantId, subject: SubjectId) -> serde_json::Value {
    json!({
        "account_id": account.to_string(),
        "tenant_id": tenant.to_string(),
        "subject_id": subject.to_string(),
    })
}

fn nobody() -> Failure {
    Failure::refused(
        "nobody has that login",
        "Is it written as the person types it?",
    )
}

async fn recover(
    operator: &Operator<'_>,
    env: &Env,
    login: &Login,
    password: &Password,
) -> Result<Reply, Failure> {
    let phc = hash(password, env).await?;
    let recovered = operator
        .recover_account(login, &phc)
        .await
        .map_err(|e| site::store(&e))?;
    let account = recovered.ok_or_else(nobody)?;
    let (secret, secret_text) = shown_password(password);
    let facts = json!({ "account_id": account.to_string(), "password": secret });
    let text = format!(
        "Account {account} has a new password; its sessions and grants have ended.{secret_text}"
    );
    Ok(Reply::new(&facts, text))
}

async fn factors(operator: &Operator<'_>, login: &Login) -> Result<Reply, Failure> {
    let found = operator.find_factors(login).await;
    let (account, there) = found.map_err(|e| site::store(&e))?.ok_or_else(nobody)?;
    let grace = if there.grace_is_left {
        "One sign-in without any is left."
    } else {
        "No sign-in without any is left."
    };
    let text = format!(
        "Account {account} has {} devices and {} recovery codes. {grace}",
        there.devices, there.recovery_codes
    );
    let facts = json!({
        "account_id": account.to_string(),
        "devices": there.devices,
        "recovery_codes": there.recovery_codes,
        "grace_is_left": there.grace_is_left,
    });
    Ok(Reply::new(&facts, text))
}

async fn reset_factors(operator: &Operator<'_>, login: &Login) -> Result<Reply, Failure> {
    let found = operator.reset_factors(login).await;
    let (account, taken) = found.map_err(|e| site::store(&e))?.ok_or_else(nobody)?;
    let text = format!(
        "Took {} devices and {} recovery codes off account {account}; its sessions and grants \
         have ended. It has one sign-in without any.",
        taken.devices, taken.recovery_codes
    );
    let facts = json!({
        "account_id": account.to_string(),
        "devices": taken.devices,
        "recovery_codes": taken.recovery_codes,
    });
    Ok(Reply::new(&facts, text))
}

async fn erase(operator: &Operator<'_>, login: &Login, force: bool) -> Result<Reply, Failure> {
    let outcome = operator.erase_account(login, force).await;
    let (account, erased) = match outcome.map_err(|e| site::store(&e))? {
        EraseOutcome::Erased(erased) => (erased.account, Some(erased)),
        EraseOutcome::Already(account) => (account, None),
        EraseOutcome::Unknown => {
            return Err(Failure::refused(
                "nobody has that login",
                "Is it written as the person types it? An erased account has the login \
                 erased-<account id>.",
            ));
        }
        EraseOutcome::LastAdministrator(clinics) => {
            return Err(Failure::refused(
                format!("nobody else administers {}", clinics.join(", ")),
                "Let somebody else administer it first, or say --force.",
            ));
        }
    };
    let text = match &erased {
        None => format!("Account {account} was erased already."),
        Some(gone) => format!(
            "Erased who had account {account}: {} memberships, {} devices, {} recovery codes, {} \
             messages and {} values of the logs are gone, {} sessions have ended. Backups from \
             before still know the person.",
            gone.memberships,
            gone.factors.devices,
            gone.factors.recovery_codes,
            gone.messages,
            gone.disclosures,
            gone.sessions
        ),
    };
    let facts = json!({
        "account_id": account.to_string(),
        "changed": erased.is_some(),
        "memberships": erased.map_or(0, |gone| gone.memberships),
        "devices": erased.map_or(0, |gone| gone.factors.devices),
        "recovery_codes": erased.map_or(0, |gone| gone.factors.recovery_codes),
        "sessions": erased.map_or(0, |gone| gone.sessions),
        "messages": erased.map_or(0, |gone| gone.messages),
        "disclosures": erased.map_or(0, |gone| gone.disclosures),
    });
    Ok(Reply::new(&facts, text))
}

fn redeem(site: &Site, new: &NewAccount, from: PasswordFrom) -> Result<Reply, Failure> {
    let refused = || {
        Failure::refused(
            "this one-time secret is not, or no longer, good",
            "It is good once, for one hour, until a newer one is made: \
             `lanyard recover administrator` makes one.",
        )
    };
    let presented = typed::one_time_secret(from)?;
    let secret = BootstrapSecret::parse(presented.expose_secret()).ok_or_else(refused)?;
    let password = typed::password(from, &site.env)?;
    site.operate(async |operator| {
        let phc = hash(&password, &site.env).await?;
        let outcome = operator
            .redeem_bootstrap(&secret, new, &phc)
            .await
            .map_err(|e| site::store(&e))?;
        match outcome {
            RedeemOutcome::Refused => Err(refused()),
            RedeemOutcome::LoginTaken => Err(Failure::refused(
                "somebody has that login already",
                "Choose another login; the one-time secret is still good.",
            )),
            RedeemOutcome::Redeemed(account, subject) => {
                let (shown, shown_text) = shown_password(&password);
                let mut facts = membership_facts(account, TenantId::PLATFORM, subject);
                facts["password"] = shown;
                let text = format!("Account {account} administers the platform.{shown_text}");
                Ok(Reply::new(&facts, text))
            }
        }
    })
}
