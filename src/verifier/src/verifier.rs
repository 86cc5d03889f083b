//! The one function that decides whether a token is good.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;

use crate::activity::{ActivityReporter, ActivitySink};
use crate::challenge::Refusal;
use crate::claims;
use crate::clock::{Clock, SystemClock};
use crate::error::{BuildError, KeySourceError, VerifyError};
use crate::keys::{DEFAULT_STALENESS, KeyCache, KeySource};
use crate::permissions::Permissions;
use crate::principal::Principal;
use crate::record::{Record, Recorder};
use crate::resource::{self, Resource};
use crate::seen::{self, SeenToken, SeenTokens};
use crate::token::{MAX_TOKEN_BYTES, UnverifiedToken};

/// Verifies access tokens of one issuer for one API. Cheap to clone; clones share everything.
///
/// Needs a tokio runtime: keys are fetched in tasks of its own.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    issuer: String,
    audience: String,
    clock: Arc<dyn Clock>,
    keys: Arc<KeyCache>,
    seen: SeenTokens,
    activity: Option<ActivityReporter>,
    permissions: Permissions,
    resource: Option<Resource>,
    record: Record,
}

impl Verifier {
    /// Starts a verifier for tokens that `issuer` (its URL, byte for byte as in `iss`) minted for
    /// `audience` (this API's name in `aud`).
    pub fn builder(issuer: impl Into<String>, audience: impl Into<String>) -> Builder {
        Builder {
            issuer: issuer.into(),
            audience: audience.into(),
            keys: None,
            clock: Arc::new(SystemClock),
            staleness: DEFAULT_STALENESS,
            activity: None,
            permissions: Permissions::default(),
            resource: resource::Description::default(),
            record: Record::default(),
        }
    }

    /// Verifies one token, as it stands behind `Bearer `.
    ///
    /// A token seen before costs a hash and a look-up; its times and its key's standing are asked
    /// again. Nothing is taken from the token before its signature is verified but `kid`.
    ///
    /// # Errors
    /// [`VerifyError`]; for the log, not for the caller.
    ///
    /// # Source
    /// RFC 9068 §4, RFC 8725.
    pub async fn verify(&self, token: &str) -> Result<Arc<Principal>, VerifyError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(VerifyError::TooLong);
        }
        let digest = seen::digest(token);
        if let Some(seen) = self.0.seen.get(&digest) {
            return self.still_good(&seen).await;
        }
        let token = UnverifiedToken::parse(token)?;
        let key = {
            let set = self.0.keys.usable().await?;
            set.as_ref()
                .and_then(|set| set.get(&token.kid))
                .map(Arc::clone)
        };
        let key = match key {
            Some(key) => key,
            None => self.0.keys.unknown(&token.kid).await?,
        };
        if token.alg != key.alg() {
            return Err(VerifyError::WrongAlgorithm);
        }
        if !key.verifies(token.signing_input.as_bytes(), &token.signature) {
            return Err(VerifyError::BadSignature);
        }
        let now = self.0.clock.now();
        let (principal, validity) =
            claims::read(&token.payload, &self.0.issuer, &self.0.audience, now)?;
        let principal = Arc::new(principal);
        let shared = Arc::clone(&principal);
        self.0.seen.put(SeenToken {
            digest,
            kid: token.kid,
            key,
            validity,
            principal,
        });
        Ok(shared)
    }

    /// What may have changed since the token was first seen: the hour, and the issuer's keys.
    async fn still_good(&self, seen: &SeenToken) -> Result<Arc<Principal>, VerifyError> {
        let stands = {
            let set = self.0.keys.usable().await?;
            let key = set.as_ref().and_then(|set| set.get(&seen.kid));
            key.is_some_and(|key| Arc::ptr_eq(key, &seen.key))
        };
        let verdict = if stands {
            seen.validity.check(self.0.clock.now())
        } else {
            Err(VerifyError::UnknownKey)
        };
        match verdict {
            Ok(()) => Ok(Arc::clone(&seen.principal)),
            Err(error) => {
                self.0.seen.forget(&seen.digest);
                Err(error)
            }
        }
    }

    /// Fetches the issuer's keys now: at start-up, or when told that one was withdrawn.
    ///
    /// Optional: the first token does it otherwise.
    ///
    /// # Errors
    /// [`KeySourceError::Unreachable`] if no set came; the one at hand stays in use.
    pub async fn refresh_keys(&self) -> Result<(), KeySourceError> {
        if self.0.keys.refresh().await {
            Ok(())
        } else {
            Err(KeySourceError::Unreachable(
                "see the log for the cause".to_owned(),
            ))
        }
    }

    /// The issuer whose tokens are good here.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The name of this API in `aud`.
    pub fn audience(&self) -> &str {
        &self.0.audience
    }

    /// What each role may do here, as the API said when it built the verifier.
    pub fn permissions(&self) -> &Permissions {
        &self.0.permissions
    }

    /// Sends the activity that is held back, now: before the process ends.
    pub async fn flush_activity(&self) {
        if let Some(reporter) = &self.0.activity {
            reporter.flush().await;
        }
    }

    /// A person did something with this token.
    pub(crate) fn note_activity(&self, principal: &Principal) {
        if let Some(reporter) = &self.0.activity {
            reporter.note(principal, self.0.clock.now());
        }
    }

    /// Puts what was decided about a request on the record, if it was made under impersonation.
    pub(crate) async fn record(
        &self,
        parts: &Parts,
        principal: &Principal,
        refusal: Option<&Refusal>,
    ) -> Result<(), Refusal> {
        let now = self.0.clock.now();
        self.0.record.note(parts, principal, now, refusal).await
    }

    pub(crate) fn resource(&self) -> Option<&Resource> {
        self.0.resource.as_ref()
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("issuer", &self.0.issuer)
            .field("audience", &self.0.audience)
            .finish_non_exhaustive()
    }
}

/// What a [`Verifier`] is built from.
#[must_use]
pub struct Builder {
    issuer: String,
    audience: String,
    keys: Option<Box<dyn KeySource>>,
    clock: Arc<dyn Clock>,
    staleness: Duration,
    activity: Option<Box<dyn ActivitySink>>,
    permissions: Permissions,
    resource: resource::Description,
    record: Record,
}

impl Builder {
    /// Where the issuer's keys come from. Required.
    pub fn keys(mut self, source: impl KeySource + 'static) -> Self {
        self.keys = Some(Box::new(source));
        self
    }

    /// Another clock than the system's, for tests.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// For how long the last known keys are used while the issuer does not answer. Then every
    /// request is answered 503. One hour unless set; at least a minute, at most a day.
    pub fn staleness(mut self, bound: Duration) -> Self {
        self.staleness = bound.clamp(Duration::from_mins(1), Duration::from_hours(24));
        self
    }

    /// Where a person's activity is reported. Without it none is: then nobody's work in this API
    /// keeps a session alive.
    pub fn activity(mut self, sink: impl ActivitySink + 'static) -> Self {
        self.activity = Some(Box::new(sink));
        self
    }

    /// Where requests under impersonation are recorded. Without it all of them are answered 503:
    /// what would leave no trace does not happen.
    pub fn recorder(mut self, recorder: impl Recorder + 'static) -> Self {
        self.record.recorder = Some(Box::new(recorder));
        self
    }

    /// Tells the template of the route that a request matched, for the record; without it, or where
    /// it tells none, the path is recorded. With axum, whose router knows:
    ///
    /// ```
    /// # use axum::extract::MatchedPath;
    /// # use lanyard_verifier::Verifier;
    /// let builder = Verifier::builder("https://id.example", "https://api.example").route_template(
    ///     |parts| Some(parts.extensions.get::<MatchedPath>()?.as_str().to_owned()),
    /// );
    /// ```
    pub fn route_template(
        mut self,
        of: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.record.route_template = Some(Box::new(of));
        self
    }

    /// What each role may do here; [`Guard::permission`](crate::Guard::permission) asks it.
    pub fn permissions(mut self, permissions: Permissions) -> Self {
        self.permissions = permissions;
        self
    }

    /// The URL by which clients know this API (RFC 9728 §1.2), when the audience is not that URL.
    pub fn resource(mut self, url: impl Into<String>) -> Self {
        self.resource.url = Some(url.into());
        self
    }

    /// The name of this API for people, in the published metadata.
    pub fn resource_name(mut self, name: impl Into<String>) -> Self {
        self.resource.name = Some(name.into());
        self
    }

    /// The scopes that this API knows, in the published metadata.
    pub fn scopes_supported<S: Into<String>>(
        mut self,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.resource.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// The verifier.
    ///
    /// # Errors
    /// [`BuildError`]: what is missing or can't be.
    pub fn build(self) -> Result<Verifier, BuildError> {
        if !resource::is_identifier(&self.issuer) {
            return Err(BuildError::Issuer);
        }
        if self.audience.is_empty() {
            return Err(BuildError::Audience);
        }
        let keys = self.keys.ok_or(BuildError::NoKeys)?;
        let resource = self.resource.locate(&self.issuer, &self.audience)?;
        Ok(Verifier(Arc::new(Inner {
            issuer: self.issuer,
            audience: self.audience,
            clock: self.clock,
            keys: KeyCache::new(keys, self.staleness),
            seen: SeenTokens::new(),
            activity: self.activity.map(ActivityReporter::new),
            permissions: self.permissions,
            resource,
            record: self.record,
        })))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}
