//! The invariants of [`super`], held against every page of the gallery.

use std::collections::HashSet;
use std::path::Path;
use std::{fs, iter};

use super::gallery::{USUAL, Words, gallery};
use super::{asset, css_href, icon_href, live_script_href, paths, script_href};

/// The start tags of a document, each without its angle brackets.
fn tags(html: &str) -> impl Iterator<Item = &str> {
    let mut rest = html;
    iter::from_fn(move || {
        let (_, after) = rest.split_once('<')?;
        let (tag, after) = after.split_once('>')?;
        rest = after;
        Some(tag)
    })
    .filter(|tag| !tag.starts_with('/'))
}

/// The value of an attribute of a start tag.
fn attribute<'tag>(tag: &'tag str, name: &str) -> Option<&'tag str> {
    let (_, after) = tag.split_once(&format!(" {name}=\""))?;
    Some(after.split_once('"')?.0)
}

/// Whether a path is one of our assets'.
fn is_ours(path: &str) -> bool {
    path.strip_prefix(paths::ASSETS)
        .is_some_and(|name| asset(name).is_some())
}

fn templates() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pages/templates");
    let entries = fs::read_dir(folder).expect("the folder of the templates");
    entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a template");
            (path.display().to_string(), text)
        })
        .collect()
}

/// I3; issue 2 §5: each page carries a stable sentence that tells which it is.
#[test]
fn every_page_says_its_sentence_once_as_its_heading() {
    for page in gallery(USUAL) {
        assert_eq!(page.html.matches("<h1").count(), 1, "{}", page.name);
        let heading = format!("<h1>{}</h1>", page.sentence.replace('\'', "&#39;"));
        assert!(page.html.contains(&heading), "{}: {heading}", page.name);
        assert!(page.html.contains("<title>"), "{}", page.name);
    }
}

/// I3: the clinic's name is always in sight.
#[test]
fn every_page_with_a_clinic_shows_its_name_and_color() {
    for page in gallery(USUAL).into_iter().filter(|page| page.has_clinic) {
        let owner = format!("<span class=\"owner-name\">{}</span>", USUAL.clinic);
        assert!(page.html.contains(&owner), "{}", page.name);
        assert!(page.html.contains("<body class=\"accent-"), "{}", page.name);
    }
}

/// I1; `attacks.md` WEB-07, WEB-15: a policy without `unsafe-inline` breaks nothing.
#[test]
fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    for (name, html) in templates() {
        for forbidden in ["<style", " style=", "javascript:", "data:", "@import"] {
            assert!(!html.contains(forbidden), "{name}: {forbidden}");
        }
    }
    for page in gallery(USUAL) {
        for tag in tags(&page.html) {
            let handler = tag
                .split_whitespace()
                .skip(1)
                .any(|word| word.starts_with("on"));
            assert!(!handler, "{}: <{tag}>", page.name);
            let is_loaded = ["script", "link", "img", "iframe", "source"]
                .iter()
                .any(|loader| tag.split_whitespace().next() == Some(loader));
            if is_loaded {
                let from = attribute(tag, "src").or_else(|| attribute(tag, "href"));
                assert!(from.is_some_and(is_ours), "{}: <{tag}>", page.name);
            }
        }
        let scripts = page.html.matches("<script").count();
        assert_eq!(
            page.html.matches("></script>").count(),
            scripts,
            "{}",
            page.name
        );
    }
    let css = include_str!("lanyard.css");
    assert!(!css.contains("url(") && !css.contains("@import"));
}

/// I2; `attacks.md` WEB-07: names with markup in them are shown as text.
#[test]
fn hostile_names_are_text_on_every_page() {
    for (name, html) in templates() {
        assert!(
            !html.contains("|safe") && !html.contains("autoescape"),
            "{name}"
        );
    }
    let hostile = Words {
        clinic: "\"><script>a()</script>",
        person: "<img src=x onerror=a()>",
        login: "' autofocus onfocus='a()",
        text: "</title></main><svg onload=a()>{{ 7 }}",
    };
    for page in gallery(hostile) {
        for word in [hostile.clinic, hostile.person, hostile.login, hostile.text] {
            assert!(!page.html.contains(word), "{}: {word}", page.name);
        }
        for broken in ["<script>", "<img src=x", "<svg onload", "' autofocus"] {
            assert!(!page.html.contains(broken), "{}: {broken}", page.name);
        }
    }
}

/// I4; `attacks.md` WEB-03; issue 2 §5: forms are plain, with stable ids. One that only looks may
/// be a search by `GET`, whose address tells no secret; every other one posts and carries `csrf`.
#[test]
fn every_form_posts_with_an_id_and_a_csrf_value_or_only_looks() {
    let csrf = "<input type=\"hidden\" name=\"csrf\" value=\"csrf-value\">";
    for page in gallery(USUAL) {
        for form in page.html.split("<form").skip(1) {
            let (tag, after) = form.split_once('>').expect("a closed tag");
            let (inside, _) = after.split_once("</form>").expect("a closed form");
            let told = format!("{}: <form{tag}>", page.name);
            let looks = attribute(tag, "method") == Some("get");
            assert!(looks || attribute(tag, "method") == Some("post"), "{told}");
            let may_look =
                attribute(tag, "role") == Some("search") || attribute(tag, "id") == Some("verify");
            assert!(!looks || may_look, "{told}");
            assert!(attribute(tag, "action").is_some(), "{told}");
            assert!(attribute(tag, "id").is_some(), "{told}");
            assert_eq!(inside.contains("name=\"csrf\""), !looks, "{told}");
            assert!(looks || inside.contains(csrf), "{told}");
            assert!(inside.contains("type=\"submit\""), "{told}");
        }
    }
}

#[test]
fn ids_are_unique_and_every_reference_finds_its_id() {
    for page in gallery(USUAL) {
        let mut ids = HashSet::new();
        for tag in tags(&page.html) {
            if let Some(id) = attribute(tag, "id") {
                assert!(ids.insert(id.to_owned()), "{}: {id} twice", page.name);
            }
        }
        for tag in tags(&page.html) {
            for name in ["aria-describedby", "aria-labelledby", "for"] {
                for id in attribute(tag, name).unwrap_or_default().split_whitespace() {
                    assert!(ids.contains(id), "{}: {name} {id}", page.name);
                }
            }
        }
    }
}

/// WCAG 2.2.1: a page that ends by itself warns with JavaScript and leaves by itself without.
#[test]
fn a_page_with_a_session_carries_the_warning_and_the_way_out() {
    let all = gallery(USUAL);
    let home = all
        .iter()
        .find(|page| page.name == "visits-patient")
        .expect("in the gallery");
    let tag = tags(&home.html)
        .find(|tag| tag.contains("name=\"lanyard-session\""))
        .expect("the session's facts");
    let json = attribute(tag, "content")
        .expect("a value")
        .replace("&#34;", "\"");
    let facts: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let now = facts["server_now"].as_i64().expect("a number");
    assert_eq!(now, super::gallery::NOW.unix_timestamp() * 1000);
    assert_eq!(facts["idle_ends_at"].as_i64(), Some(now + 900_000));
    assert_eq!(
        facts["session_ends_at"].as_i64(),
        Some(now + 12 * 3_600_000)
    );
    assert_eq!(facts["idle_limit"].as_i64(), Some(900_000));
    assert!(
        home.html
            .contains("content=\"901; url=/signed-out?reason=idle\"")
    );
    assert!(home.html.contains("role=\"alertdialog\""));
    let welcome = all
        .iter()
        .find(|page| page.name == "welcome-patient")
        .expect("there");
    assert!(!welcome.html.contains("lanyard-session") && !welcome.html.contains("<dialog"));
}

/// Design §7: who acts as whom is the first that a page says, in words, and nothing on it hides
/// that or leads to the actor's own account as if it were hers.
#[test]
fn a_page_of_somebody_acted_as_says_so_first() {
    let all = gallery(USUAL);
    let acted: Vec<_> = all
        .iter()
        .filter(|page| page.name.contains("-acting"))
        .collect();
    assert!(!acted.is_empty());
    for page in acted {
        let (_, body) = page.html.split_once("<body").expect("a body");
        let first = tags(body).next().expect("an element");
        assert!(
            first.starts_with("div class=\"lanyard-banner "),
            "{}: <{first}>",
            page.name
        );
        assert_eq!(attribute(first, "role"), Some("status"), "{}", page.name);
        assert!(
            body.contains("(read-only) until 03:26 UTC."),
            "{}",
            page.name
        );
        assert!(
            !body.contains("account-link") && !body.contains("<nav"),
            "{}",
            page.name
        );
        assert!(body.contains("action=\"/sign-out\"><input type=\"hidden\" name=\"csrf\""));
    }
    let hides = "lanyard-banner";
    // The script writes the minutes that are left, and reaches no other part of it.
    let script = include_str!("session.js").replace("querySelector(\".lanyard-banner-left\")", "");
    assert!(!script.contains(hides));
    let css = include_str!("lanyard.css");
    let print = css.split("@media print").nth(1).expect("a rule for paper");
    assert!(!print.contains(hides));
}

/// For the eye, and for axe: `target/gallery`, laid out as the server would serve it.
#[test]
fn the_gallery_is_left_to_be_looked_at() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/gallery");
    fs::create_dir_all(folder.join("assets")).expect("a folder for the gallery");
    for page in gallery(USUAL) {
        fs::write(folder.join(page.name).with_extension("html"), page.html).expect("a page");
    }
    for href in [css_href(), script_href(), live_script_href(), icon_href()] {
        let name = href.strip_prefix(paths::ASSETS).expect("an asset's path");
        let bytes = asset(name).expect("an asset").bytes;
        fs::write(folder.join("assets").join(name), bytes).expect("room for an asset");
    }
}
