//! The three apps as relying parties, over real HTTP: a browser, three apps, the issuer and its
//! API, on ports of their own.

mod care;
mod hosts;
mod lab;
mod logout;
mod sessions;
mod sign_in;
mod step_up;

pub(super) use lab::{AppsLab, Everywhere};
