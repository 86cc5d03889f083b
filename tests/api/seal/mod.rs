//! The sealed context under attack (design §3; attacks.md, RLS).

mod standing;
