//! What an app shows while somebody acts as a person (design §7).

use std::fmt;

use serde::Serialize;
use time::OffsetDateTime;

use crate::activity::unix_seconds;
use crate::{Actor, Basis, DelegationId, GrantId, Preset, Principal, SubjectId};

/// The banner of an app in which somebody acts as somebody else: who, as whom, for how long, and a
/// way to end it. Every page of such an app shows it, and offers no way to hide it.
///
/// [`Banner::html`] is for pages; as JSON ([`Serialize`]) it is for an app that draws its own. Its
/// script gets what the page would show, and never the token.
///
/// ```
/// # use lanyard_verifier::Principal;
/// # fn page(caller: &Principal, now: time::OffsetDateTime) -> String {
/// let end = "https://id.example/account/impersonation";
/// let banner = caller.banner(end, now).map(|banner| banner.names("Sam (support)", "Ada Quill"));
/// let banner = banner.map(|banner| banner.html()).unwrap_or_default();
/// format!("<body>{banner}<main>…</main></body>")
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Serialize)]
#[must_use]
pub struct Banner {
    actor: SubjectId,
    subject: SubjectId,
    #[serde(flatten)]
    by: By,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_name: Option<String>,
    #[serde(serialize_with = "unix_seconds")]
    until: OffsetDateTime,
    minutes_left: i64,
    end_url: String,
    #[serde(skip)]
    now: OffsetDateTime,
}

/// By what somebody acts; its members stand among the banner's own.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum By {
    Grant {
        grant: GrantId,
        preset: Preset,
    },
    Delegation {
        delegation: DelegationId,
        basis: Basis,
    },
}

impl Principal {
    /// The banner to show, if somebody acts as this person.
    ///
    /// - `end_url`: where the person who looks can end it: an `https` address, or a path of the
    ///   app's own. Anything else is replaced by the app's root, since it becomes a link.
    /// - `now`: for the minutes left. They count to the token's end until [`Banner::until`] says
    ///   when the grant or the delegation ends.
    pub fn banner(&self, end_url: &str, now: OffsetDateTime) -> Option<Banner> {
        let actor = self.actor()?;
        let banner = Banner {
            actor: actor.sub(),
            subject: self.subject(),
            by: match actor {
                Actor::Support(support) => By::Grant {
                    grant: support.grant,
                    preset: support.preset,
                },
                Actor::Proxy(proxy) => By::Delegation {
                    delegation: proxy.delegation,
                    basis: proxy.basis,
                },
            },
            actor_name: None,
            subject_name: None,
            until: self.expires_at(),
            minutes_left: 0,
            end_url: if is_link(end_url) { end_url } else { "/" }.to_owned(),
            now,
        };
        Some(banner.until(self.expires_at()))
    }
}

impl Banner {
    /// Says who acts as whom by name; by id otherwise. Any text: it is escaped.
    pub fn names(mut self, actor: impl Into<String>, subject: impl Into<String>) -> Self {
        self.actor_name = Some(actor.into());
        self.subject_name = Some(subject.into());
        self
    }

    /// Says when the grant or the delegation ends, if the app knows: tokens end before, and are
    /// renewed.
    pub fn until(mut self, end: OffsetDateTime) -> Self {
        self.until = end;
        let seconds = (end - self.now).whole_seconds().max(0);
        // A part of a minute counts as one: it never says 0 while there is time left.
        self.minutes_left = seconds.saturating_add(59) / 60;
        self
    }

    /// One element, with `role="status"` (WAI-ARIA 1.2): no script and no style of its own, so the
    /// strictest Content-Security-Policy takes it. Classes begin with `lanyard-banner`.
    pub fn html(&self) -> String {
        let who = |name: &Option<String>, id: SubjectId| {
            escaped(name.as_ref().unwrap_or(&id.to_string()))
        };
        let minutes = if self.minutes_left == 1 {
            "minute"
        } else {
            "minutes"
        };
        let (class, what, id, words) = match self.by {
            By::Grant { grant, preset } => {
                (preset.name(), "grant", grant.to_string(), preset.name())
            }
            By::Delegation { delegation, basis } => {
                let id = delegation.to_string();
                (basis.name(), "delegation", id, basis.words())
            }
        };
        format!(
            "<div class=\"lanyard-banner lanyard-banner-{class}\" role=\"status\" \
             data-{what}=\"{id}\"><p><strong>{actor}</strong> is acting as \
             <strong>{subject}</strong> ({words}). <span class=\"lanyard-banner-left\">\
             {left} {minutes} left.</span> <a class=\"lanyard-banner-end\" href=\"{end}\" \
             rel=\"noreferrer\">End now</a></p></div>",
            actor = who(&self.actor_name, self.actor),
            subject = who(&self.subject_name, self.subject),
            left = self.minutes_left,
            end = escaped(&self.end_url),
        )
    }
}

/// No scheme that runs anything, and no other host by two slashes.
fn is_link(url: &str) -> bool {
    let is_path = url.starts_with('/') && !url.starts_with("//") && !url.starts_with("/\\");
    (is_path || crate::resource::is_identifier(url)) && url.bytes().all(|b| b.is_ascii_graphic())
}

/// Text as it may stand in an element and in a quoted attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(letter),
        }
    }
    safe
}

impl fmt::Debug for Banner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Banner")
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}
