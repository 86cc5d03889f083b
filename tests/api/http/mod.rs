//! What holds for every answer of the issuer.

mod headers;
