//! Around an access: whose record a clinician may mean, and how many wait for a review.

pub mod routes;
pub mod service;
