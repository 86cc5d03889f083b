//! Verify Lanyard's access tokens.
