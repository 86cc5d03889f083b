//! Clients as this process last read them, for whoever has their rows' version beside it.
//!
//! Nothing here is believed by itself: [`KnownClients::of_version`] gives a client only to who has
//! just read, from the database, that its row is still the same.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use super::model::Client;
use crate::ids::{ClientId, TenantId};

/// More are forgotten all at once: a deployment has few clients, whoever makes up names has none.
const MOST: usize = 10_000;

/// The clients that have been read by this process.
#[derive(Debug, Default)]
pub struct KnownClients(RwLock<HashMap<ClientId, Arc<Client>>>);

impl KnownClients {
    /// Keeps a client as it was just read.
    pub(crate) fn remember(&self, client: &Client) {
        let mut known = self.0.write().expect("no panic happens under this lock");
        if known
            .get(&client.id)
            .is_some_and(|it| it.version == client.version)
        {
            return;
        }
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(client.id.clone(), Arc::new(client.clone()));
    }

    /// Where to look for a client of that name, if it was ever read.
    pub(crate) fn tenant_of(&self, id: &ClientId) -> Option<TenantId> {
        let known = self.0.read().expect("no panic happens under this lock");
        known.get(id).map(|it| it.tenant)
    }

    /// A client as it was when it was last read: good for what its version is asked of afterwards.
    pub(crate) fn last_read(&self, id: &ClientId) -> Option<Arc<Client>> {
        let known = self.0.read().expect("no panic happens under this lock");
        known.get(id).cloned()
    }

    /// The client whose row has this version now.
    pub(crate) fn of_version(&self, id: &ClientId, version: &str) -> Option<Arc<Client>> {
        let known = self.0.read().expect("no panic happens under this lock");
        known.get(id).filter(|it| it.version == version).cloned()
    }
}
