//! What an app shows while somebody acts as a person (design §7).

use std::fmt;

use serde::Serialize;
use time::{OffsetDateTime, UtcOffset};

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
    /// Of the form that ends it; without one the end is a link.
    #[serde(skip)]
    end_token: Option<String>,
    /// Whether the app said when it ends.
    #[serde(skip)]
    ends_as_told: bool,
    #[serde(skip)]
    now: OffsetDateTime,
}

/// A session of an app in which support staff act as a person, as the ID token said it that the app
/// began it with: for an app that has no [`Principal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportSession {
    /// Who acts (`act.sub`).
    pub actor: SubjectId,
    /// As whom (`sub`).
    pub subject: SubjectId,
    /// By which grant (`act.grant`).
    pub grant: GrantId,
    /// How much is lent (`act.preset`).
    pub preset: Preset,
    /// When the grant ends: the token's answer says it (`session_expires_in`).
    pub until: OffsetDateTime,
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
        let by = match actor {
            Actor::Support(support) => By::Grant {
                grant: support.grant,
                preset: support.preset,
            },
            Actor::Proxy(proxy) => By::Delegation {
                delegation: proxy.delegation,
                basis: proxy.basis,
            },
        };
        let mut banner = Banner::by((actor.sub(), self.subject()), by, end_url, now);
        banner.count_to(self.expires_at());
        Some(banner)
    }
}

impl Banner {
    /// The banner of an app's own session; arguments as in [`Principal::banner`].
    pub fn of_session(session: SupportSession, end_url: &str, now: OffsetDateTime) -> Self {
        let by = By::Grant {
            grant: session.grant,
            preset: session.preset,
        };
        Self::by((session.actor, session.subject), by, end_url, now).until(session.until)
    }

    fn by(
        (actor, subject): (SubjectId, SubjectId),
        by: By,
        end_url: &str,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            actor,
            subject,
            by,
            actor_name: None,
            subject_name: None,
            until: now,
            minutes_left: 0,
            end_url: if is_link(end_url) { end_url } else { "/" }.to_owned(),
            end_token: None,
            ends_as_told: false,
            now,
        }
    }

    /// Ends it by a form that posts `csrf`, the app's own token against forged posts, to the
    /// address of the end.
    pub fn ends_by_form(mut self, csrf: impl Into<String>) -> Self {
        self.end_token = Some(csrf.into());
        self
    }

    /// Says who acts as whom by name; by id otherwise. Any text: it is escaped.
    pub fn names(mut self, actor: impl Into<String>, subject: impl Into<String>) -> Self {
        self.actor_name = Some(actor.into());
        self.subject_name = Some(subject.into());
        self
    }

    /// Says when the grant or the delegation ends, if the app knows: tokens end before, and are
    /// renewed.
    pub fn until(mut self, end: OffsetDateTime) -> Self {
        self.count_to(end);
        self.ends_as_told = true;
        self
    }

    fn count_to(&mut self, end: OffsetDateTime) {
        self.until = end;
        let seconds = (end - self.now).whole_seconds().max(0);
        // A part of a minute counts as one: it never says 0 while there is time left.
        self.minutes_left = seconds.saturating_add(59) / 60;
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
             <strong>{subject}</strong> ({words}){until}. <span class=\"lanyard-banner-left\">\
             {left} {minutes} left.</span>{end}</div>",
            actor = who(&self.actor_name, self.actor),
            subject = who(&self.subject_name, self.subject),
            until = self.until_words(),
            left = self.minutes_left,
            end = self.end(),
        )
    }

    /// When it ends, by the clock: what a page that is left open goes on to say truly.
    fn until_words(&self) -> String {
        if !self.ends_as_told {
            return String::new();
        }
        let until = self.until.to_offset(UtcOffset::UTC);
        let (hour, minute) = (until.hour(), until.minute());
        format!(" until {hour:02}:{minute:02} UTC")
    }

    fn end(&self) -> String {
        let end = escaped(&self.end_url);
        match &self.end_token {
            None => format!(
                " <a class=\"lanyard-banner-end\" href=\"{end}\" rel=\"noreferrer\">End now</a></p>"
            ),
            Some(csrf) => format!(
                "</p><form id=\"lanyard-banner-form\" method=\"post\" action=\"{end}\">\
                 <input type=\"hidden\" name=\"csrf\" value=\"{csrf}\">\
                 <button type=\"submit\" class=\"lanyard-banner-end\">End now</button></form>",
                csrf = escaped(csrf),
            ),
        }
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
