//! The sealed context under attack (design §3; attacks.md, RLS).
//!
//! The claim: arbitrary SQL run as a serving role in one tenant's transaction yields no row, value
//! or identifier of another tenant. Total volumes and availability are outside it.

pub(crate) mod attacker;
mod begin;
mod catalog;
mod clerk;
mod contexts;
mod dump;
mod generator;
mod grammar;
mod overseer;
mod plans;
mod planted;
mod pooler;
pub(crate) mod proxy;
mod queries;
mod reading;
mod rules;
mod sessions;
mod standing;
pub(crate) mod wire;
mod writing;
