//! The hosts of an app: its own, and one for each clinic, with the clinic's public face.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::uri::Authority;
use url::Url;

use super::RelyingParty;
use super::api::ApiError;
use super::model::{ClinicFacts, Kind};
use super::policy::{self, Host};
use super::settings;

/// How long a clinic's name is believed; a changed one shows after that.
const FRESH: Duration = Duration::from_mins(1);
/// How many clinics are remembered.
const MOST: usize = 4096;

/// Where a request came in.
#[derive(Clone, Debug)]
pub struct Site {
    /// `http://juniper.localhost:8081`, without a slash.
    pub origin: String,
    /// Whose host it is; none: the app's own, where the issuer asks which clinic.
    pub clinic: Option<ClinicFacts>,
}

/// What a request's host means.
#[derive(Debug)]
pub enum Found {
    /// One of ours.
    Here(Site),
    /// A loopback address: the same path at this origin.
    Elsewhere(String),
    /// Not ours.
    Stranger,
}

/// One app's hosts.
#[derive(Debug)]
pub struct Sites {
    kind: Kind,
    url: Url,
    host: String,
    known: Mutex<HashMap<String, (Instant, ClinicFacts)>>,
}

impl Sites {
    /// Under the app's own address.
    pub fn new(settings: &crate::config::App, kind: Kind) -> Self {
        Self {
            kind,
            host: authority(&settings.url),
            url: settings.url.clone(),
            known: Mutex::new(HashMap::new()),
        }
    }

    /// The app's origin at a clinic, or its own.
    pub fn origin(&self, slug: Option<&str>) -> String {
        origin_of(&self.url, slug)
    }

    /// Reads a request's host; may ask the issuer for a clinic not seen lately.
    pub async fn find(&self, rp: &RelyingParty, asked: &Authority) -> Result<Found, ApiError> {
        match policy::host(asked, &self.host) {
            Host::App => Ok(Found::Here(Site {
                origin: self.origin(None),
                clinic: None,
            })),
            Host::Loopback => Ok(Found::Elsewhere(self.origin(None))),
            Host::Stranger => Ok(Found::Stranger),
            Host::Label(_) if !self.kind.is_a_clinics() => Ok(Found::Stranger),
            Host::Label(label) => {
                let Some(clinic) = self.clinic(rp, &label).await? else {
                    return Ok(Found::Stranger);
                };
                let origin = self.origin(Some(&label));
                Ok(Found::Here(Site {
                    origin,
                    clinic: Some(clinic),
                }))
            }
        }
    }

    async fn clinic(
        &self,
        rp: &RelyingParty,
        label: &str,
    ) -> Result<Option<ClinicFacts>, ApiError> {
        if let Some((_, clinic)) = self
            .known()
            .get(label)
            .filter(|(learned, _)| learned.elapsed() < FRESH)
        {
            return Ok(Some(clinic.clone()));
        }
        let clinic = rp.api().clinic(label).await?;
        let mut known = self.known();
        if known.len() >= MOST {
            known.clear();
        }
        // Another's answer, such as for a slug that is also an id, is none of this label's.
        let clinic = clinic.filter(|clinic| clinic.slug == label);
        if let Some(clinic) = &clinic {
            known.insert(label.to_owned(), (Instant::now(), clinic.clone()));
        }
        Ok(clinic)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Instant, ClinicFacts)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The addresses of a clinic's apps at its hosts, or of all apps at their own.
pub fn addresses(
    config: &crate::config::Config,
    slug: Option<&str>,
) -> impl Iterator<Item = (Kind, String)> {
    let kinds = Kind::ALL.into_iter();
    kinds
        .filter(move |kind| slug.is_none() || kind.is_a_clinics())
        .map(move |kind| (kind, origin_of(&settings(config, kind).url, slug)))
}

/// `scheme://[slug.]host[:port]`.
pub(super) fn origin_of(url: &Url, slug: Option<&str>) -> String {
    match slug {
        Some(slug) => format!("{}://{slug}.{}", url.scheme(), authority(url)),
        None => format!("{}://{}", url.scheme(), authority(url)),
    }
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
