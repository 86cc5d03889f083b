//! `lanyard tenant`.

use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

use super::args::{Tenant as Asked, Whom, Why};
use super::operator::Operator;
use super::output::{Failure, Output, Reply, instant, table};
use super::site::{self, Site};
use crate::oidc::sessions_end::{Counts, Reason};
use crate::pages::Accent;
use crate::tenancy::service::{CreateOutcome, DestroyOutcome, StatusOutcome};
use crate::tenancy::{NewTenant, Slug, Tenant, TenantName, TenantStatus};

/// A clinic as the command line tells of it.
#[derive(Serialize)]
struct Shown<'a> {
    tenant_id: String,
    slug: &'a str,
    name: &'a str,
    accent: &'a str,
    status: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl<'a> From<&'a Tenant> for Shown<'a> {
    fn from(tenant: &'a Tenant) -> Self {
        Self {
            tenant_id: tenant.id.to_string(),
            slug: &tenant.slug,
            name: &tenant.name,
            accent: &tenant.accent,
            status: tenant.status.as_str(),
            created_at: tenant.created_at,
        }
    }
}

pub(super) fn run(asked: &Asked, site: &Site) -> Result<Reply, Failure> {
    match asked {
        Asked::Create { slug, name, accent } => {
            let new = parse(slug, name, accent)?;
            site.operate(async |operator| create(operator, &new).await)
        }
        Asked::List => site.operate(async |operator| list(operator).await),
        Asked::Suspend { slug } => {
            site.operate(async |o| set_status(o, slug, TenantStatus::Suspended).await)
        }
        Asked::Resume { slug } => {
            site.operate(async |o| set_status(o, slug, TenantStatus::Active).await)
        }
        Asked::Factors { slug, of } => {
            site.operate(async |operator| require_factor(operator, slug, *of).await)
        }
        Asked::EndSessions { slug, reason } => {
            site.operate(async |operator| end_sessions(operator, slug, *reason).await)
        }
        Asked::DestroyData { slug, confirm } => {
            if slug != confirm {
                return Err(Failure::usage(
                    "--confirm does not repeat the clinic's slug",
                    "What is destroyed can't be read again from this database.",
                ));
            }
            site.operate(async |o| destroy_data(o, slug).await)
        }
    }
}

/// The clinic of that slug, or why there is none.
pub(super) async fn load(operator: &Operator<'_>, slug: &str) -> Result<Tenant, Failure> {
    let found = operator
        .find_tenant(slug)
        .await
        .map_err(|e| site::store(&e))?;
    found.ok_or_else(|| unknown(slug))
}

fn unknown(slug: &str) -> Failure {
    Failure::refused(
        format!("there is no clinic `{slug}`"),
        "`lanyard tenant list` shows all.",
    )
}

fn parse(slug: &str, name: &str, accent: &str) -> Result<NewTenant, Failure> {
    let slug = Slug::parse(slug).map_err(|why| Failure::usage(why, "Choose another slug."))?;
    let name = TenantName::parse(name).ok_or_else(|| {
        Failure::usage(
            "a clinic's name has 1 to 120 characters",
            "Choose another name.",
        )
    })?;
    let accent = accent.parse::<Accent>().map_err(|_| {
        let known: Vec<_> = Accent::ALL.iter().map(|a| a.name()).collect();
        Failure::usage(
            format!("`{accent}` is no color of the palette"),
            format!("Use one of {}.", known.join(", ")),
        )
    })?;
    Ok(NewTenant {
        slug,
        name,
        accent: accent.name(),
    })
}

async fn create(operator: &Operator<'_>, new: &NewTenant) -> Result<Reply, Failure> {
    let outcome = operator
        .create_tenant(new)
        .await
        .map_err(|e| site::no_keys(&e))?;
    let slug = &new.slug;
    match outcome {
        CreateOutcome::Created(_) => {
            let tenant = load(operator, slug.as_str()).await?;
            let text = format!("Made clinic {slug}, id {}.", tenant.id);
            Ok(Reply::new(&Shown::from(&tenant), text))
        }
        CreateOutcome::SlugTaken => Err(Failure::refused(
            format!("there is a clinic `{slug}` already"),
            "Choose another slug: it is the clinic's host name.",
        )),
    }
}

async fn list(operator: &Operator<'_>) -> Result<Reply, Failure> {
    const PAGE: u32 = 500;
    let mut all: Vec<Tenant> = Vec::new();
    loop {
        let after = all.last().map(|t| t.slug.clone()).unwrap_or_default();
        let page = operator
            .list_tenants(&after, PAGE)
            .await
            .map_err(|e| site::store(&e))?;
        let is_last = page.len() < PAGE as usize;
        all.extend(page);
        if is_last {
            break;
        }
    }
    let shown: Vec<Shown<'_>> = all.iter().map(Shown::from).collect();
    let rows = shown
        .iter()
        .map(|t| [t.slug, t.name, t.status, &t.tenant_id].map(str::to_owned));
    let text = table(["slug", "name", "status", "id"], rows);
    Ok(Reply::new(&shown, text))
}

async fn set_status(
    operator: &Operator<'_>,
    slug: &str,
    status: TenantStatus,
) -> Result<Reply, Failure> {
    let outcome = operator
        .set_tenant_status(slug, status)
        .await
        .map_err(|e| site::store(&e))?;
    let (id, changed) = match outcome {
        StatusOutcome::Changed(id) => (id, true),
        StatusOutcome::Already(id) => (id, false),
        StatusOutcome::Unknown => return Err(unknown(slug)),
        StatusOutcome::Reserved => {
            return Err(Failure::refused(
                "the platform's own tenant is always served",
                "Disable its clients or accounts instead.",
            ));
        }
    };
    let status = status.as_str();
    let facts = json!({
        "tenant_id": id.to_string(), "slug": slug, "status": status, "changed": changed,
    });
    let verb = if changed { "is" } else { "was already" };
    Ok(Reply::new(
        &facts,
        format!("Clinic {slug} {verb} {status}."),
    ))
}

async fn require_factor(operator: &Operator<'_>, slug: &str, of: Whom) -> Result<Reply, Failure> {
    let tenant = load(operator, slug).await?;
    let of_everybody = of == Whom::Everybody;
    let changed = operator
        .require_factor(tenant.id, of_everybody)
        .await
        .map_err(|e| site::store(&e))?;
    let (word, whom) = if of_everybody {
        ("everybody", "every member")
    } else {
        ("staff", "staff alone")
    };
    let facts = json!({
        "tenant_id": tenant.id.to_string(), "slug": slug, "of": word, "changed": changed,
    });
    let verb = if changed { "asks" } else { "already asked" };
    let text = format!("Clinic {slug} {verb} {whom} for a second factor.");
    Ok(Reply::new(&facts, text))
}

async fn end_sessions(operator: &Operator<'_>, slug: &str, why: Why) -> Result<Reply, Failure> {
    let tenant = load(operator, slug).await?;
    let reason = match why {
        Why::SuspectedBreach => Reason::SuspectedBreach,
        Why::StolenCredentials => Reason::StolenCredentials,
        Why::ClinicRequest => Reason::ClinicRequest,
        Why::Drill => Reason::Drill,
    };
    let told = |ended: Counts| {
        Output::progress(&format!(
            "{} sessions, {} grants ended",
            ended.sessions, ended.families
        ));
    };
    let proof = operator.end_sessions(tenant.id, reason, told).await;
    Output::progress("");
    let proof = proof.map_err(|e| site::store(&e))?;
    let (until, ended, left) = (instant(proof.until), proof.ended, proof.left);
    if !proof.is_complete {
        return Err(Failure::failed(
            format!(
                "{left} sessions or grants of clinic {slug} from before {until} still live, or a \
                 transaction from before goes on"
            ),
            "What was ended stays so. Run it again.",
        ));
    }
    let facts = json!({
        "tenant_id": tenant.id.to_string(), "slug": slug, "reason": reason.name(),
        "until": until, "sessions": ended.sessions, "families": ended.families,
        "codes": ended.codes, "left": left,
    });
    let text = format!(
        "Ended at clinic {slug}: {} sessions, {} grants, {} codes. Counted again: none is left.\n\
         No token issued there until {until} is good.",
        ended.sessions, ended.families, ended.codes
    );
    Ok(Reply::new(&facts, text))
}

async fn destroy_data(operator: &Operator<'_>, slug: &str) -> Result<Reply, Failure> {
    let outcome = operator.destroy_tenant_data(slug).await;
    let (id, changed) = match outcome.map_err(|e| site::store(&e))? {
        DestroyOutcome::Destroyed(id) => (id, true),
        DestroyOutcome::Already(id) => (id, false),
        DestroyOutcome::Unknown => return Err(unknown(slug)),
        DestroyOutcome::Served => {
            return Err(Failure::refused(
                format!("the clinic `{slug}` is served"),
                format!("Suspend it first: `lanyard tenant suspend {slug}`."),
            ));
        }
    };
    let facts = json!({ "tenant_id": id.to_string(), "slug": slug, "changed": changed });
    let text = if changed {
        format!(
            "Destroyed the data key of clinic {slug}: what was encrypted under it can't be read \
             any more. Backups from before still hold the key: destroy those too."
        )
    } else {
        format!("Clinic {slug} has no data key any more.")
    };
    Ok(Reply::new(&facts, text))
}
