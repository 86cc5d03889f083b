//! Putting the world into the database, as an operator would. Repeatable after a crash.

use std::collections::HashMap;

use time::Duration;

use super::state::World;
use super::world::{self, CLINICS, DemoClinic, MEMBERS, VISITS};
use super::{DemoError, desk, partner};
use crate::app::App;
use crate::apps::{self, Kind};
use crate::cli::Operator;
use crate::db::{Authority, Job, StoreError, Tenancy};
use crate::identity::model::{
    AccountName, AccountOutcome, Login, MembershipOutcome, NewAccount, NewMembership,
};
use crate::ids::{AccountId, SubjectId, TenantId, VisitId};
use crate::keys::KeysError;
use crate::pages::Accent;
use crate::sessions::{Limits, administration};
use crate::tenancy::members::store as members;
use crate::tenancy::service::CreateOutcome;
use crate::tenancy::{NewTenant, Slug, TenantName};
use crate::visits::{Visit, service as visits};

/// Makes what is missing of the world. A database with clinics that are not the demo's is refused.
///
/// - `said`: hears of each step
pub async fn seed(
    app: &App,
    world: &mut World,
    said: &mut (dyn FnMut(&str) + Send),
) -> Result<(), DemoError> {
    let operator = Operator::new(&app.db, &app.env, &app.keys);
    if !world.is_seeded {
        refuse_strangers(&operator).await?;
        operator.ensure_platform().await?;
    }
    register_apps(app).await?;
    partner::register(app, world).await?;
    desk::register(app, world).await?;
    if !world.is_seeded {
        plant(app, &operator, world, said).await?;
    }
    let_support_ask(&operator).await
}

async fn plant(
    app: &App,
    operator: &Operator<'_>,
    world: &mut World,
    said: &mut (dyn FnMut(&str) + Send),
) -> Result<(), DemoError> {
    let mut tenants = HashMap::new();
    for clinic in &CLINICS {
        tenants.insert(clinic.slug, make_clinic(app, operator, clinic).await?);
    }
    tenants.insert(world::PLATFORM.slug, TenantId::PLATFORM);
    said("clinics are there");
    make_people(app, operator, world, &tenants).await?;
    said("people are there");
    for clinic in &CLINICS {
        plant_visits(app, clinic.slug, tenants[clinic.slug]).await?;
    }
    said("visits are there");
    world.is_seeded = true;
    world.keep(&app.config, &app.env)
}

/// Registers the apps for every clinic's host, again if the addresses have changed.
async fn register_apps(app: &App) -> Result<(), DemoError> {
    let slugs = CLINICS.each_ref().map(|clinic| clinic.slug);
    for kind in Kind::ALL {
        apps::registration::register(app, kind, &slugs).await?;
    }
    Ok(())
}

async fn refuse_strangers(operator: &Operator<'_>) -> Result<(), DemoError> {
    let there = operator.list_tenants("", 100).await?;
    let is_ours =
        |slug: &str| slug == "platform" || CLINICS.iter().any(|clinic| clinic.slug == slug);
    match there.into_iter().find(|tenant| !is_ours(&tenant.slug)) {
        Some(stranger) => Err(DemoError::NotEmpty(stranger.slug)),
        None => Ok(()),
    }
}

/// Says what each clinic lets support do: at every start, for worlds that are older than that too.
async fn let_support_ask(operator: &Operator<'_>) -> Result<(), DemoError> {
    for clinic in &CLINICS {
        let there = operator.find_tenant(clinic.slug).await?;
        let there = there.ok_or(DemoError::Contradiction("a clinic that is not there"))?;
        operator
            .set_impersonation_rule(there.id, clinic.support)
            .await?;
    }
    Ok(())
}

async fn make_clinic(
    app: &App,
    operator: &Operator<'_>,
    clinic: &DemoClinic,
) -> Result<TenantId, DemoError> {
    let accent: Accent = clinic
        .accent
        .parse()
        .expect("the world names the palette's colors");
    let new = NewTenant {
        slug: Slug::parse(clinic.slug).expect("the world's slugs are slugs"),
        name: TenantName::parse(clinic.name).expect("the world's names are names"),
        accent: accent.name(),
    };
    let id = match operator.create_tenant(&new).await? {
        CreateOutcome::Created(id) => id,
        CreateOutcome::SlugTaken => {
            let there = operator.find_tenant(clinic.slug).await?;
            there
                .ok_or(DemoError::Contradiction("a slug that is taken by nobody"))?
                .id
        }
    };
    if let Some(seconds) = clinic.idle_seconds {
        let limits = Limits {
            idle: Duration::seconds(seconds),
            absolute: Duration::hours(1),
        };
        let saved = administration::save_tenant_limits(app, id, limits).await?;
        saved.map_err(|_| DemoError::Contradiction("limits that nobody may have"))?;
    }
    Ok(id)
}

async fn make_people(
    app: &App,
    operator: &Operator<'_>,
    world: &World,
    tenants: &HashMap<&str, TenantId>,
) -> Result<(), DemoError> {
    let mut accounts: HashMap<&str, AccountId> = HashMap::new();
    for member in &MEMBERS {
        let name = AccountName::parse(member.name).expect("the world's names are names");
        let account = match accounts.get(member.login) {
            Some(known) => *known,
            None => make_account(app, operator, member.login, &name, world).await?,
        };
        accounts.insert(member.login, account);
        let new = NewMembership {
            tenant: tenants[member.clinic],
            account,
            name,
            roles: member.roles.iter().map(|&role| role.to_owned()).collect(),
        };
        match operator.create_membership(&new).await? {
            MembershipOutcome::Created(_) | MembershipOutcome::AlreadyMember => {}
            MembershipOutcome::NoSuchRole { .. } | MembershipOutcome::NoRole => {
                return Err(DemoError::Contradiction("a role that the catalog lacks"));
            }
        }
    }
    Ok(())
}

async fn make_account(
    app: &App,
    operator: &Operator<'_>,
    login: &str,
    name: &AccountName,
    world: &World,
) -> Result<AccountId, DemoError> {
    let login = Login::parse(login).expect("the world's logins are logins");
    let password = world.password(login.as_str()).into();
    let hashed = app.hasher.hash(&password, app.env.random_bytes()).await;
    let phc = hashed.map_err(|_| DemoError::Contradiction("no password could be hashed"))?;
    let new = NewAccount {
        login: login.clone(),
        name: name.clone(),
    };
    let account = match operator.create_account(&new, &phc).await? {
        AccountOutcome::Created(id) => id,
        // Made before a crash: the password is the one that was drawn before it, too.
        AccountOutcome::LoginTaken => {
            let there = operator.find_account(&login).await?;
            there
                .ok_or(DemoError::Contradiction("a login that is taken by nobody"))?
                .id
        }
    };
    if let Some(secret) = world.code_secret(login.as_str()) {
        operator.plant_device(account, &secret).await?;
    }
    Ok(account)
}

async fn plant_visits(app: &App, slug: &str, tenant: TenantId) -> Result<(), DemoError> {
    let authority = Authority::<Tenancy>::job_in(Job::SeedVisits, tenant);
    let listed = app.db.run(authority.read_only(), async |tx| {
        members::list(tx, tenant, 100).await
    });
    let subjects: HashMap<String, SubjectId> = listed
        .await?
        .into_iter()
        .map(|m| (m.display_name, m.subject_id))
        .collect();
    let now = app.env.now();
    // Whole quarters of an hour, as people book.
    let quarter = now - Duration::seconds(now.unix_timestamp().rem_euclid(900));
    let quarter = quarter.replace_nanosecond(0).expect("zero is a nanosecond");
    let of = |name: &str| {
        subjects
            .get(name)
            .copied()
            .ok_or(DemoError::Contradiction("a visit of nobody"))
    };
    let mut planted = Vec::new();
    for (number, visit) in VISITS
        .iter()
        .enumerate()
        .filter(|(_, visit)| visit.0 == slug)
    {
        let (_, patient, practitioner, hours, kind, state) = visit;
        let name = format!("{slug}/{number}");
        planted.push(Visit {
            id: VisitId::from_uuid(app.keys.locator("demo visit", &name)),
            patient: of(patient)?,
            practitioner: of(practitioner)?,
            starts_at: quarter + Duration::hours(*hours),
            kind: *kind,
            state: *state,
            reason: Some(REASONS[number % REASONS.len()].to_owned()),
        });
    }
    match visits::plant(app, tenant, &planted).await {
        // All of a clinic's were planted in one transaction, before a crash.
        Ok(()) | Err(KeysError::Store(StoreError::Conflict { .. })) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Why made-up patients come.
const REASONS: [&str; 5] = [
    "A cough that does not go away",
    "Blood pressure, as every three months",
    "A rash after the new medicine",
    "To talk about the laboratory's findings",
    "Trouble sleeping",
];

/// The name that a page shows for a clinic of the world.
pub(super) fn face(slug: &str) -> crate::pages::Clinic {
    let clinic = world::clinic(slug);
    let accent = clinic.accent.parse().unwrap_or_default();
    crate::pages::Clinic {
        name: clinic.name.to_owned(),
        accent,
    }
}
