//! The demo in words: where it is, who can sign in, with what, and what to try.

use std::fmt::Write as _;

use super::routes::FRONT;
use super::state::World;
use super::support::{EXPORT, KEYS};
use super::world::{CLINICS, DemoMember, MEMBERS, PLATFORM, has_device};
use super::{desk, partner};
use crate::apps::{Kind, sites, words};
use crate::config::Config;
use crate::pages::paths;

/// `patient, clinician and clinic admin`.
fn roles(member: &DemoMember) -> String {
    let roles: Vec<String> = member.roles.iter().map(|&role| role.to_owned()).collect();
    words::roles(&roles).to_lowercase()
}

/// `Maya Chen, MD (licensed in OR, WA): clinician`.
pub(super) fn who(member: &DemoMember) -> String {
    let (name, roles) = (member.name, roles(member));
    match member.license() {
        Some(license) => {
            let states = license.states.join(", ");
            format!("{name}, {} (licensed in {states}): {roles}", license.title)
        }
        None => format!("{name}: {roles}"),
    }
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
    let theirs = partner::PARTNER;
    line(&format!(
        "  Another's app {issuer}{theirs}: it asks before it sees anything"
    ));
    let (see, folder) = (paths::ACCOUNT_SUPPORT, config.state_dir.display());
    line(&format!(
        "  Support       {issuer}{see}: as Ana, after the run"
    ));
    line(&format!(
        "  Juniper's log lanyard audit verify {folder}/{EXPORT} --keys {folder}/{KEYS}"
    ));
    line("  Everybody and everything here is made up.");
    for clinic in CLINICS.iter().chain([&PLATFORM]) {
        line("");
        line(&format!("  {}", clinic.name));
        let slug = (clinic.slug != PLATFORM.slug).then_some(clinic.slug);
        for (kind, origin) in sites::addresses(config, slug) {
            if slug.is_some() || kind == Kind::Platform {
                line(&format!("    {:<17} {origin}/", kind.name()));
            }
        }
        line("");
        for member in MEMBERS.iter().filter(|member| member.clinic == clinic.slug) {
            let password = world.password(member.login);
            line(&format!("    {}", who(member)));
            line(&format!("      {:<28} {password}", member.login));
            if has_device(member.login) {
                line(&format!(
                    "      sign-in code: lanyard demo code {}",
                    member.login
                ));
            }
            line(&format!("      {}", member.to_try));
        }
    }
    text
}

/// The same for programs.
pub fn facts(config: &Config, world: &World) -> serde_json::Value {
    let address = |kind: Kind, slug: Option<&str>| {
        let mut all = sites::addresses(config, slug);
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
            "code_secret": world.code_secret(member.login).map(|secret| secret.text()),
            "license": member.license().map(|license| serde_json::json!({
                "title": license.title,
                "states": license.states,
            })),
            "opens": address(member.opens, member.slug()),
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
        "issuer": config.issuer.as_str(),
        "clinics": CLINICS.iter().map(clinic).collect::<Vec<_>>(),
        "people": MEMBERS.iter().map(person).collect::<Vec<_>>(),
        "clients": clients(config, world),
    })
}

fn clients(config: &Config, world: &World) -> Vec<serde_json::Value> {
    let own = Kind::ALL.map(|kind| client(config, kind)).into_iter();
    let theirs = partner::facts(config.issuer.as_str(), world);
    let desk = desk::facts(config.issuer.as_str(), world);
    own.chain([theirs, desk]).collect()
}

/// One of the apps as the issuer knows it. Its secret is its own.
fn client(config: &Config, kind: Kind) -> serde_json::Value {
    let at = |path: &str| -> Vec<String> {
        let hosts = std::iter::once(None).chain(CLINICS.iter().map(|clinic| Some(clinic.slug)));
        hosts
            .flat_map(|slug| sites::addresses(config, slug).filter(|(other, _)| *other == kind))
            .map(|(_, origin)| format!("{origin}{path}"))
            .collect()
    };
    serde_json::json!({
        "client_id": kind.client_id(),
        "name": kind.name(),
        "kind": "web",
        "is_third_party": false,
        "redirect_uris": at(crate::apps::routes::CALLBACK),
        "post_logout_redirect_uris": at(crate::pages::paths::SIGNED_OUT),
        "opens": format!("{}/", at("")[0]),
    })
}

/// One step of the self-driving run, as it is printed.
pub fn step(is_done: bool, words: &str, milliseconds: u128) -> String {
    let mut text = String::new();
    let mark = if is_done { '\u{2713}' } else { '\u{2717}' };
    let _ = writeln!(text, "  {mark} {words:<66} {milliseconds:>6} ms");
    text
}
