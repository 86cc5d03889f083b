//! The demo in words: where it is, who can sign in, with what, and what to try.

use std::fmt::Write as _;

use super::routes::FRONT;
use super::state::World;
use super::world::{CLINICS, DemoMember, MEMBERS};
use crate::apps::{Kind, sites, words};
use crate::config::Config;

/// `patient, clinician and clinic admin`.
pub(super) fn roles(member: &DemoMember) -> String {
    let roles: Vec<String> = member.roles.iter().map(|&role| role.to_owned()).collect();
    words::roles(&roles).to_lowercase()
}

/// The whole of it, lines ended by `\n`.
pub fn table(config: &Config, world: &World) -> String {
    let mut text = String::new();
    let issuer = config.issuer.as_str();
    let mut line = |words: &str| {
        text.push_str(words.trim_end());
        text.push('\n');
    };
    line("");
    line(&format!("  Start here   {issuer}{FRONT}"));
    line("  Everybody and everything here is made up.");
    for clinic in &CLINICS {
        line("");
        line(&format!("  {}", clinic.name));
        for (kind, origin) in sites::addresses(config, Some(clinic.slug)) {
            line(&format!("    {:<17} {origin}/", kind.name()));
        }
        line("");
        for member in MEMBERS.iter().filter(|member| member.clinic == clinic.slug) {
            let password = world.password(member.login);
            let who = format!("{}, {}", member.name, roles(member));
            line(&format!("    {who}"));
            line(&format!("      {:<28} {password}", member.login));
            line(&format!("      {}", member.to_try));
        }
    }
    text
}

/// The same for programs.
pub fn facts(config: &Config, world: &World) -> serde_json::Value {
    let address = |kind: Kind, slug: &str| {
        let mut all = sites::addresses(config, Some(slug));
        all.find(|(other, _)| *other == kind)
            .map(|(_, origin)| format!("{origin}/"))
    };
    let person = |member: &DemoMember| {
        serde_json::json!({
            "clinic": member.clinic,
            "name": member.name,
            "roles": member.roles,
            "login": member.login,
            "password": world.password(member.login),
            "opens": address(member.opens, member.clinic),
            "to_try": member.to_try,
        })
    };
    let clinic = |clinic: &super::world::DemoClinic| {
        let apps: serde_json::Map<_, _> = sites::addresses(config, Some(clinic.slug))
            .map(|(kind, origin)| (kind.word().to_owned(), format!("{origin}/").into()))
            .collect();
        serde_json::json!({ "slug": clinic.slug, "name": clinic.name, "apps": apps })
    };
    serde_json::json!({
        "start": format!("{}{FRONT}", config.issuer.as_str()),
        "clinics": CLINICS.iter().map(clinic).collect::<Vec<_>>(),
        "people": MEMBERS.iter().map(person).collect::<Vec<_>>(),
    })
}

/// One step of the self-driving run, as it is printed.
pub fn step(is_done: bool, words: &str, milliseconds: u128) -> String {
    let mut text = String::new();
    let mark = if is_done { '\u{2713}' } else { '\u{2717}' };
    let _ = writeln!(text, "  {mark} {words:<66} {milliseconds:>6} ms");
    text
}
