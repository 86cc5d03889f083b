//! What a clinic tells its people: one text, on the first page of each app.
//!
//! Invariants
//! 1. An administrator of the clinic writes it, with a second factor proved just now.
//! 2. It is text: no markup, no links that we would make of it.

pub mod model;
pub mod routes;
pub(crate) mod store;

pub use model::{Announcement, AnnouncementText};
