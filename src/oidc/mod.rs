//! OpenID Connect: one endpoint, one file; one grant, one file.

pub mod family;
