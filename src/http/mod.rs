//! The outside: the one list of routes, and how errors and pages are said.

pub mod browser;
pub mod form;
pub mod layers;
pub mod oauth_error;
pub mod operations;
