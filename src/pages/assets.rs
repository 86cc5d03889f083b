//! Style sheet, script and marks: in the binary, each under a name that holds its digest.

use std::sync::LazyLock;

use ring::digest::{SHA256, digest};

use super::paths;

/// Something to serve under [`paths::ASSETS`], for ever: another content has another name.
#[derive(Debug)]
pub struct Asset {
    /// Path with the name: `/assets/lanyard.0f3a….css`.
    pub href: String,
    /// Media type, with charset where it is text.
    pub content_type: &'static str,
    /// The content.
    pub bytes: &'static [u8],
}

struct Assets {
    css: Asset,
    script: Asset,
    live: Asset,
    icon: Asset,
}

static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    css: named(
        "lanyard",
        "css",
        "text/css; charset=utf-8",
        include_bytes!("lanyard.css"),
    ),
    script: named(
        "session",
        "js",
        "text/javascript; charset=utf-8",
        include_bytes!("session.js"),
    ),
    live: named(
        "live",
        "js",
        "text/javascript; charset=utf-8",
        include_bytes!("live.js"),
    ),
    icon: named("mark", "svg", "image/svg+xml", include_bytes!("mark.svg")),
});

/// The asset of a name under [`paths::ASSETS`], such as `lanyard.0f3a….css`.
///
/// Serve with `Cache-Control: public, max-age=31536000, immutable`. An SVG is served with the
/// same policy as pages, so that it could not run anything if it wanted to.
pub fn asset(name: &str) -> Option<&'static Asset> {
    let all = [&ASSETS.css, &ASSETS.script, &ASSETS.live, &ASSETS.icon];
    all.into_iter()
        .find(|asset| asset.href.strip_prefix(paths::ASSETS) == Some(name))
}

/// Path of the style sheet.
pub fn css_href() -> &'static str {
    &ASSETS.css.href
}

/// Path of the script of sessions.
pub fn script_href() -> &'static str {
    &ASSETS.script.href
}

/// Path of the script of pages that change while they are looked at.
pub fn live_script_href() -> &'static str {
    &ASSETS.live.href
}

/// Path of the mark that browsers show in a tab.
pub fn icon_href() -> &'static str {
    &ASSETS.icon.href
}

fn named(stem: &str, kind: &str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
    let version = hex::encode(&digest(&SHA256, bytes).as_ref()[..6]);
    let href = format!("{}{stem}.{version}.{kind}", paths::ASSETS);
    Asset {
        href,
        content_type,
        bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_is_found_by_its_own_name_only() {
        for href in [css_href(), script_href(), live_script_href(), icon_href()] {
            let name = href.strip_prefix(paths::ASSETS).expect("under one path");
            assert!(asset(name).is_some_and(|found| !found.bytes.is_empty()));
        }
        for stranger in ["lanyard.css", "../Cargo.toml", "", "/", css_href()] {
            assert!(asset(stranger).is_none(), "{stranger}");
        }
    }
}
