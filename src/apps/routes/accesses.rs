//! `GET /accesses`: who saw a patient's record at this clinic (45 CFR 164.528).

use serde::Deserialize;

use super::door::{Answer, Asked, Door};
use crate::apps::api::told_or_refused;
use crate::apps::record::Accesses;
use crate::apps::words;
use crate::pages::{AccessesPage, paths};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessesQuery {
    before: Option<u64>,
}

/// The handler.
pub(super) async fn accesses(door: Door, Asked(query): Asked<AccessesQuery>) -> Answer {
    let inside = door.enter().await?;
    let path = query.before.map_or_else(
        || "audit/accesses".to_owned(),
        |before| format!("audit/accesses?before={before}"),
    );
    let api = door.rp.api();
    let given = api.get::<Accesses>(&path, inside.token(), false).await;
    let (given, refusal) = told_or_refused(given);
    let older = |next| format!("{}?before={next}", paths::APP_ACCESSES);
    Ok(door.show(&AccessesPage {
        around: inside.around,
        accesses: given.accesses.into_iter().map(words::access).collect(),
        older_href: given.next.map(older),
        refusal,
    }))
}
