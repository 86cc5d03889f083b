//! `/proxies`: for whom she acts, and who acts for her; `/delegations`: the clinic's.

use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::json;
use time::Duration;
use uuid::Uuid;

use super::deed::{Came, Deed};
use super::door::{Answer, Asked, Door, Sent};
use super::outcome::AppError;
use crate::apps::api::{ApiError, Member, Members, Visits, told_or_refused};
use crate::apps::care::{Delegation, Delegations, OwnDelegations};
use crate::apps::model::Kind;
use crate::apps::words;
use crate::pages::{DelegationsPage, ProxiesPage, RecordPage, Refusal, paths};

/// What the API lends to a proxy, all of it: the console's form names no less.
const LENT: [&str; 2] = ["audit.access.read", "visits.visit.read"];
/// How far ahead a caregiver's ends, as the API has it.
const LONGEST: Duration = Duration::days(730);
/// What the caller is a side of.
const OWN: &str = "me/delegations";

/// `GET /proxies`.
pub(super) async fn show(door: Door, Asked(came): Asked<Came>) -> Answer {
    let inside = door.enter().await?;
    let api = door.rp.api();
    let own = api.get::<OwnDelegations>(OWN, inside.token(), true).await;
    let (own, refusal) = told_or_refused(own);
    let draft = inside.session.draft.as_deref().and_then(Deed::parse);
    let unconfirmed = draft.filter(|deed| deed.path == OWN);
    let typed = unconfirmed.as_ref().and_then(|deed| deed.typed("proxy"));
    let now = door.rp.app().env.now();
    let day = |ahead: Duration| (now + ahead).date().to_string();
    let rows = |of: Vec<Delegation>, of_patient| {
        let open = of.into_iter().filter(|one| !one.is_over(now));
        open.map(|one| words::proxy(one, of_patient, now)).collect()
    };
    Ok(door.show(&ProxiesPage {
        around: inside.around,
        notice: came.notice(),
        number: inside.me.me.id,
        typed: typed.unwrap_or_default().to_owned(),
        until: (day(Duration::DAY), day(LONGEST)),
        you_act_for: rows(own.you_act_for, true),
        act_for_you: rows(own.act_for_you, false),
        refusal,
    }))
}

/// Whom a patient names, by the number that he gave her, and what he may look at.
#[derive(Debug, Deserialize)]
pub(super) struct NewCaregiver {
    number: String,
    accesses: Option<String>,
    visits: Option<String>,
    valid_until: String,
}

/// `POST /proxies/name`: she names a caregiver.
pub(super) async fn name_caregiver(door: Door, Sent(new): Sent<NewCaregiver>) -> Answer {
    let ticked = [new.accesses.is_some(), new.visits.is_some()];
    let scope: Vec<_> = LENT
        .into_iter()
        .zip(ticked)
        .filter_map(|(key, is_ticked)| is_ticked.then_some(key))
        .collect();
    let number: String = new.number.split_whitespace().collect();
    let deed = Deed {
        path: OWN.to_owned(),
        body: json!({
            "proxy": number, "scope": scope,
            "valid_until": format!("{}T00:00:00Z", new.valid_until),
        }),
        back: paths::APP_PROXIES.to_owned(),
    };
    deed.attempt(&door).await
}

/// Which one.
#[derive(Debug, Deserialize)]
pub(super) struct OfDelegation {
    id: Uuid,
}

/// `POST /proxies`: ends one of her own.
pub(super) async fn end(door: Door, Sent(OfDelegation { id }): Sent<OfDelegation>) -> Answer {
    let deed = Deed {
        path: format!("{OWN}/{id}/end"),
        body: json!({}),
        back: paths::APP_PROXIES.to_owned(),
    };
    deed.attempt(&door).await
}

/// `GET /proxies/visits`: the visits of somebody for whom she acts, by a token for this one look.
pub(super) async fn visits(door: Door, Asked(OfDelegation { id }): Asked<OfDelegation>) -> Answer {
    let inside = door.enter().await?;
    let own = door
        .rp
        .api()
        .get::<OwnDelegations>(OWN, inside.token(), true);
    let one = match own.await {
        Ok(own) => own.you_act_for.into_iter().find(|one| one.id == id),
        Err(refused) => return Err(inside.around.refusal(&door.rp, refused.shown())),
    };
    let one = one.ok_or_else(|| door.refuse(AppError::NotFound))?;
    let (seen, refusal) = match seen(&door, &one, inside.token()).await {
        Ok(visits) => (visits, None),
        Err(refusal) => (Visits::default(), Some(refusal)),
    };
    Ok(door.show(&RecordPage {
        around: inside.around,
        banner: format!(
            "You are looking at {}'s record as her {}. She sees that you did.",
            one.patient.name,
            words::basis(&one.basis)
        ),
        back_href: paths::APP_PROXIES,
        back: "Back to the people you act for",
        visits: words::visits(seen, Kind::Patient),
        refusal,
    }))
}

/// What the proxy sees of the patient's.
async fn seen(door: &Door, delegation: &Delegation, token: &str) -> Result<Visits, Refusal> {
    let closed = |status, code: &str| Refusal {
        status,
        code: code.to_owned(),
    };
    let id = delegation.id.to_string();
    match door.rp.oidc().exchange(&id, token).await {
        Ok(Some(acting)) => {
            let (api, acting) = (door.rp.api(), acting.expose_secret());
            let seen = api.get::<Visits>("visits?as=patient", acting, false).await;
            seen.map_err(ApiError::shown)
        }
        // It is over, or not begun.
        Ok(None) => Err(closed(403, "invalid_grant")),
        Err(error) => {
            tracing::warn!(%error, "a delegation was not exchanged");
            Err(closed(502, "unavailable"))
        }
    }
}

/// `GET /delegations`: the clinic's.
pub(super) async fn list(door: Door, Asked(came): Asked<Came>) -> Answer {
    let inside = door.enter().await?;
    let (api, token) = (door.rp.api(), inside.token());
    let listed = api.get::<Delegations>("delegations", token, true);
    let members = api.get::<Members>("members", token, false);
    let (listed, members) = tokio::join!(listed, members);
    let (listed, refusal) = told_or_refused(listed);
    let me = inside.me.me;
    let members = members.map(|members| members.members).unwrap_or_default();
    let active: Vec<_> = members
        .into_iter()
        // Nobody writes down herself.
        .filter(|member| member.status == "active" && member.id != me.id)
        .collect();
    let named = |member: &Member| (member.id.clone(), member.name.clone());
    let patients = active.iter().filter(|member| member.has_role("patient"));
    let delegations = listed.delegations.into_iter();
    Ok(door.show(&DelegationsPage {
        around: inside.around,
        notice: came.notice(),
        delegations: delegations.map(words::delegation).collect(),
        patients: patients.map(named).collect(),
        people: active.iter().map(named).collect(),
        may_write: me.has_role("clinic_admin"),
        refusal,
    }))
}

#[derive(Debug, Deserialize)]
pub(super) struct NewDelegation {
    patient: String,
    proxy: String,
    basis: String,
    document: String,
    #[serde(default)]
    ages_out_on: String,
    #[serde(default)]
    valid_until: String,
}

/// `POST /delegations`: writes one down.
pub(super) async fn create(door: Door, Sent(new): Sent<NewDelegation>) -> Answer {
    let mut body = json!({
        "patient": new.patient, "proxy": new.proxy, "basis": new.basis,
        "document": new.document, "scope": LENT,
    });
    if !new.ages_out_on.is_empty() {
        body["ages_out_on"] = json!(new.ages_out_on);
    }
    if !new.valid_until.is_empty() {
        body["valid_until"] = json!(format!("{}T00:00:00Z", new.valid_until));
    }
    let deed = Deed {
        path: "delegations".to_owned(),
        body,
        back: paths::APP_DELEGATIONS.to_owned(),
    };
    deed.attempt(&door).await
}

/// `POST /delegations/end`.
pub(super) async fn end_by_clinic(
    door: Door,
    Sent(OfDelegation { id }): Sent<OfDelegation>,
) -> Answer {
    let deed = Deed {
        path: format!("delegations/{id}/end"),
        body: json!({}),
        back: paths::APP_DELEGATIONS.to_owned(),
    };
    deed.attempt(&door).await
}
