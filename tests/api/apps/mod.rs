//! The apps as relying parties, over real HTTP: a browser, the apps, the issuer and its
//! API, on ports of their own.

mod care;
mod hosts;
mod lab;
mod log;
mod logout;
mod platform;
mod sessions;
mod sign_in;
mod stage;
mod step_up;
mod support;

pub(super) use lab::{AppsLab, Everywhere};
