//! What tests stand on: a cluster, servers on it with a movable clock, browsers, people.

pub(crate) mod apps;
pub(crate) mod browser;
pub(crate) mod cluster;
pub(crate) mod script;
pub(crate) mod server;
pub(crate) mod world;

pub(crate) use browser::{Answer, Browser};
pub(crate) use server::{Lab, attend};

/// An id that nothing else has.
pub(crate) fn some_id() -> uuid::Uuid {
    lanyard::env::Env::system().random_uuid()
}
