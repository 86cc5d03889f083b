//! Signing in at the issuer: pages, refusals, guesses.

mod pages;
