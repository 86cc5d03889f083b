//! What is fuzzed: one function for each parser that meets the outside. Each says more than "it
//! does not panic": what it accepts must be what an independent reading of the bytes allows.
//!
//! `tests/fuzz/run` drives them with libFuzzer; `tests/api/fuzz.rs` with seeds and mutations.

mod issuer;
mod verifier;

/// A target: its name, as `tests/fuzz/bin` and `tests/fuzz/seeds` have it, and what it does.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const ALL: [Target; 14] = [
    ("parameters", issuer::parameters),
    ("authorize", issuer::authorize),
    ("redirect", issuer::redirect),
    ("scopes", issuer::scopes),
    ("cookies", issuer::cookies),
    ("basic", issuer::basic),
    ("tokens", issuer::tokens),
    ("host", issuer::host),
    ("forwarded", issuer::forwarded),
    ("jwt", verifier::jwt),
    ("claims", verifier::claims),
    ("jwks", verifier::jwks),
    ("sets", verifier::sets),
    ("introspection", verifier::introspection),
];
