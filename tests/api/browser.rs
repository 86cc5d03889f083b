//! A real browser through the three apps and the issuer's pages (issue 2 §4, §8).
