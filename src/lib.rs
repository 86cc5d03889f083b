//! Lanyard: an OpenID Connect provider for many clinics on one Postgres.
