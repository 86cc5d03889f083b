//! `/support` of a clinic's console: who of the platform's support asks, acts or acted as whom of
//! the clinic's people, and what the clinic says to it.

use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::deed::{Came, Deed};
use super::door::{Answer, Asked, Door, Sent};
use crate::apps::api::{Members, told_or_refused};
use crate::apps::staff::{Impersonation, Impersonations};
use crate::apps::{grants, words};
use crate::pages::{ActingStanding, ClinicSupportPage, ClinicSupportRow, paths};

/// `GET`.
pub(super) async fn list(door: Door, Asked(came): Asked<Came>) -> Answer {
    let inside = door.enter().await?;
    let (api, token) = (door.rp.api(), inside.token());
    let given = api.get::<Impersonations>("impersonations", token, true);
    let members = api.get::<Members>("members", token, false);
    let (given, members) = tokio::join!(given, members);
    let (given, refusal) = told_or_refused(given);
    let names = members.map(words::names).unwrap_or_default();
    let now = door.rp.app().env.now();
    let row = |grant: Impersonation| {
        let asks_clinic = grant.asks_clinic();
        let opened = grants::opened(&grant);
        let mut row = grants::row(grant, now);
        row.opened = Some(opened);
        if let Some(name) = names.get(&row.subject) {
            row.subject.clone_from(name);
        }
        ClinicSupportRow {
            asks_clinic: asks_clinic && matches!(row.standing, ActingStanding::Asked { .. }),
            grant: row,
        }
    };
    let rows = given.impersonations.into_iter().map(row);
    let (over, open) = rows.partition(|row| row.grant.is_over());
    Ok(door.show(&ClinicSupportPage {
        around: inside.around,
        now,
        notice: came.notice(),
        open,
        over,
        may_answer: inside.me.me.has_role("clinic_admin"),
        refusal,
    }))
}

/// What is said to one.
#[derive(Debug, Deserialize)]
pub(super) struct Said {
    grant: Uuid,
    #[serde(default)]
    decision: String,
}

/// `POST /support`: yes, or no.
pub(super) async fn answer(door: Door, Sent(said): Sent<Said>) -> Answer {
    let act = if said.decision == "allow" {
        "approve"
    } else {
        "refuse"
    };
    deed(said.grant, act).attempt(&door).await
}

/// `POST /support/end`: no more.
pub(super) async fn end(door: Door, Sent(said): Sent<Said>) -> Answer {
    deed(said.grant, "end").attempt(&door).await
}

fn deed(grant: Uuid, act: &str) -> Deed {
    Deed {
        path: format!("impersonations/{grant}/{act}"),
        body: json!({}),
        back: paths::APP_SUPPORT.to_owned(),
    }
}
