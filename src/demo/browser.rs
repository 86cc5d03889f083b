//! A browser without a screen, for the self-driving run: a cookie jar, and forms as a person would
//! send them. It knows our own pages and no others.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use http::Method;
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use url::Url;

use super::DemoError;
use super::world::CLINICS;
use crate::config::Config;

/// More hops than any sign-in takes.
const MOST_HOPS: usize = 12;

/// One person's browser.
#[derive(Debug)]
pub(super) struct Browser {
    client: reqwest::Client,
    /// By host and name: ports share them, as in any browser.
    jar: Mutex<BTreeMap<(String, String), String>>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Seen {
    /// Where.
    pub(super) at: Url,
    /// With which status.
    pub(super) status: u16,
    /// Where it leads, if it does.
    pub(super) onward: Option<Url>,
    /// What it says.
    pub(super) body: String,
}

impl Browser {
    /// A fresh one that finds all hosts of this configuration on this machine.
    pub(super) fn new(config: &Config) -> Self {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .user_agent("Mozilla/5.0 (X11; Linux x86_64) Lanyard/demo");
        let here = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let apps = &config.apps;
        let urls = [
            config.issuer.url(),
            &apps.patient.url,
            &apps.clinician.url,
            &apps.console.url,
            &apps.platform.url,
        ];
        for host in urls.into_iter().filter_map(Url::host_str) {
            // Not every machine's resolver knows the names below `localhost` (RFC 6761 §6.3).
            builder = builder.resolve(host, here);
            for clinic in &CLINICS {
                builder = builder.resolve(&format!("{}.{host}", clinic.slug), here);
            }
        }
        let client = builder.build().expect("a TLS provider is installed");
        Self {
            client,
            jar: Mutex::default(),
        }
    }

    /// Types an address, and follows wherever it leads.
    pub(super) async fn visit(&self, address: &str) -> Result<Seen, DemoError> {
        let url = parse(address)?;
        let seen = self.ask(Method::GET, url, None).await?;
        self.follow(seen).await
    }

    /// One request, followed nowhere.
    pub(super) async fn look(&self, address: &str) -> Result<Seen, DemoError> {
        self.ask(Method::GET, parse(address)?, None).await
    }

    /// Fills in the form of that id, sends it, and follows wherever that leads.
    pub(super) async fn submit(
        &self,
        page: &Seen,
        form: &str,
        typed: &[(&str, &str)],
    ) -> Result<Seen, DemoError> {
        let (action, mut fields) = page
            .form(form)
            .ok_or_else(|| DemoError::Step(format!("no form `{form}` at {}", page.at)))?;
        fields.extend(
            typed
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned())),
        );
        let to = page
            .at
            .join(&action)
            .map_err(|e| DemoError::Step(e.to_string()))?;
        let seen = self.ask(Method::POST, to, Some(&fields)).await?;
        self.follow(seen).await
    }

    async fn follow(&self, mut seen: Seen) -> Result<Seen, DemoError> {
        for _ in 0..MOST_HOPS {
            let Some(to) = seen.onward.take() else {
                return Ok(seen);
            };
            seen = self.ask(Method::GET, to, None).await?;
        }
        Err(DemoError::Step(format!(
            "no end of redirects, the last to {}",
            seen.at
        )))
    }

    async fn ask(
        &self,
        method: Method,
        to: Url,
        fields: Option<&Vec<(String, String)>>,
    ) -> Result<Seen, DemoError> {
        let silent = |error: reqwest::Error| {
            DemoError::Step(format!("no answer: {}", crate::http::chain(&error)))
        };
        let mut request = self
            .client
            .request(method, to.clone())
            .header(COOKIE, self.cookies(&to));
        if let Some(fields) = fields {
            request = request.form(fields);
        }
        let answer = request.send().await.map_err(silent)?;
        self.keep(&to, answer.headers());
        let leads = answer
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok());
        let status = answer.status();
        let onward = leads
            .filter(|_| status.is_redirection())
            .and_then(|l| to.join(l).ok());
        let body = answer.text().await.map_err(silent)?;
        Ok(Seen {
            at: to,
            status: status.as_u16(),
            onward,
            body,
        })
    }

    fn cookies(&self, to: &Url) -> String {
        let jar = self.jar.lock().expect("no panic happens under this lock");
        let own = jar
            .iter()
            .filter(|((host, _), _)| Some(host.as_str()) == to.host_str());
        own.map(|((_, name), value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("; ")
    }

    fn keep(&self, at: &Url, headers: &http::HeaderMap) {
        let mut jar = self.jar.lock().expect("no panic happens under this lock");
        for line in headers
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
        {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            let key = (
                at.host_str().unwrap_or_default().to_owned(),
                name.trim().to_owned(),
            );
            if attributes.to_ascii_lowercase().contains("max-age=0") {
                jar.remove(&key);
            } else {
                jar.insert(key, value.trim().to_owned());
            }
        }
    }
}

impl Seen {
    /// The page's `h1`.
    pub(super) fn sentence(&self) -> String {
        let after = self
            .body
            .split_once("<h1")
            .and_then(|(_, rest)| rest.split_once('>'));
        let sentence = after
            .and_then(|(_, rest)| rest.split_once("</h1>"))
            .map(|(h1, _)| h1);
        unescaped(sentence.unwrap_or_default().trim())
    }

    /// This page, or what stands there instead.
    pub(super) fn says(self, sentence: &str) -> Result<Self, DemoError> {
        if self.sentence() == sentence {
            return Ok(self);
        }
        Err(DemoError::Step(format!(
            "{} answers {} `{}`, not `{sentence}`",
            self.at.origin().ascii_serialization(),
            self.status,
            self.sentence()
        )))
    }

    /// How many rows of data the page's table has.
    pub(super) fn rows(&self) -> usize {
        let body = self
            .body
            .split("<tbody")
            .nth(1)
            .and_then(|rest| rest.split("</tbody>").next());
        body.map_or(0, |rows| rows.matches("<tr").count())
    }

    fn form(&self, id: &str) -> Option<(String, Vec<(String, String)>)> {
        let mut forms = self.body.split("<form").skip(1);
        let form = forms.find(|form| {
            form.split('>')
                .next()
                .and_then(|tag| attribute(tag, "id"))
                .as_deref()
                == Some(id)
        })?;
        let form = form.split("</form>").next()?;
        let action = attribute(form.split('>').next()?, "action")?;
        let inputs = form
            .split("<input")
            .skip(1)
            .filter_map(|rest| rest.split('>').next());
        let hidden = inputs.filter(|tag| attribute(tag, "type").as_deref() == Some("hidden"));
        let fields = hidden.filter_map(|tag| {
            Some((
                attribute(tag, "name")?,
                attribute(tag, "value").unwrap_or_default(),
            ))
        });
        Some((action, fields.collect()))
    }
}

fn parse(address: &str) -> Result<Url, DemoError> {
    Url::parse(address).map_err(|error| DemoError::Step(format!("{address}: {error}")))
}

/// An attribute as our templates write it: in double quotes.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next().map(unescaped)
}

/// The characters that our templates escape.
fn unescaped(text: &str) -> String {
    text.replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#38;", "&")
        .replace("&amp;", "&")
}
