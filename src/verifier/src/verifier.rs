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
use crate::introspection::{Answered, Introspector};
use crate::keys::{DEFAULT_STALENESS, KeyCache, KeySource, LONGEST_STALENESS};
use crate::permissions::Permissions;
use crate::principal::Principal;
use crate::record::{Record, Recorder};
use crate::resource::{self, Resource};
use crate::revocation::{Feed, FeedStatus, Mark, RevocationSource, Wanted, WhenStale, Whose};
use crate::seen::{self, SeenToken, SeenTokens, TokenDigest};
use crate::token::{ACCESS_TOKEN, MAX_TOKEN_BYTES, UnverifiedToken};

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
    feed: Option<Arc<Feed>>,
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
            revocations: Wanted::default(),
        }
    }

    /// Verifies one token, as it stands behind `Bearer `.
    ///
    /// A token seen before costs a hash and some look-ups; its times, its key's standing and what
    /// was revoked are asked again. Nothing is taken from the token before its signature is
    /// verified but `kid`.
    ///
    /// # Errors
    /// [`VerifyError`]; for the log, not for the caller.
    ///
    /// # Source
    /// RFC 9068 §4, RFC 8725.
    pub async fn verify(&self, token: &str) -> Result<Arc<Principal>, VerifyError> {
        self.verify_for(token, None).await
    }

    /// The same for a route that has a policy of its own for when revocations are not up to date.
    pub(crate) async fn verify_for(
        &self,
        token: &str,
        when_stale: Option<WhenStale>,
    ) -> Result<Arc<Principal>, VerifyError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(VerifyError::TooLong);
        }
        let digest = seen::digest(token);
        let seen = match self.0.seen.get(&digest) {
            Some(seen) => {
                self.still_good(&seen).await?;
                seen
            }
            None => self.verify_anew(token, digest).await?,
        };
        if let Some(feed) = &self.0.feed {
            feed.judge(token, &seen, when_stale).await?;
        }
        Ok(Arc::clone(&seen.principal))
    }

    async fn verify_anew(
        &self,
        token: &str,
        digest: TokenDigest,
    ) -> Result<Arc<SeenToken>, VerifyError> {
        let token = UnverifiedToken::parse(token, ACCESS_TOKEN)?;
        let key = self.0.keys.signer(&token).await?;
        let now = self.0.clock.now();
        let (principal, validity) =
            claims::read(&token.payload, &self.0.issuer, &self.0.audience, now)?;
        let marks = match self.0.feed {
            Some(_) => Mark::of_token(&token.kid, &principal),
            None => Box::default(),
        };
        Ok(self.0.seen.put(SeenToken {
            digest,
            kid: token.kid,
            key,
            validity,
            principal: Arc::new(principal),
            marks,
            answer: Answered::nothing(),
        }))
    }

    /// What may have changed since the token was first seen: the hour, and the issuer's keys.
    async fn still_good(&self, seen: &SeenToken) -> Result<(), VerifyError> {
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
        if verdict.is_err() {
            self.0.seen.forget(&seen.digest);
        }
        verdict
    }

    /// Waits until the issuer has told all that is revoked, once: at start-up, so that the first
    /// requests need not wait for it. Returns at once if there is no
    /// [`Builder::revocations`].
    pub async fn revocations_known(&self) {
        if let Some(feed) = &self.0.feed {
            feed.first_told().await;
        }
    }

    /// How this verifier stands with the issuer's revocations; `None` if there is no
    /// [`Builder::revocations`].
    pub fn feed_status(&self) -> Option<FeedStatus> {
        self.0.feed.as_ref().map(|feed| feed.status())
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
    revocations: Wanted,
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
        self.staleness = bound.clamp(Duration::from_mins(1), LONGEST_STALENESS);
        self
    }

    /// Who tells what was revoked. Without it a token is good until it ends, whoever signs out.
    pub fn revocations(mut self, source: impl RevocationSource + 'static) -> Self {
        self.revocations.source = Some(Box::new(source));
        self
    }

    /// For how long the verifier counts as up to date after it was last told everything: 30 seconds
    /// unless set; at least 10 seconds, at most 5 minutes. Past it, [`WhenStale`] decides.
    pub fn stale_after(mut self, bound: Duration) -> Self {
        self.revocations.bound = bound;
        self
    }

    /// What routes do then that do not say otherwise by
    /// [`Guard::when_stale`](crate::Guard::when_stale). [`WhenStale::FailClosed`] unless set.
    pub fn when_stale(mut self, policy: WhenStale) -> Self {
        self.revocations.when_stale = policy;
        self
    }

    /// Whom [`WhenStale::Introspect`] asks.
    pub fn introspection(mut self, introspector: impl Introspector + 'static) -> Self {
        self.revocations.introspector = Some(Box::new(introspector));
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
        let keys = KeyCache::new(keys, self.staleness);
        let whose = Whose {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            clock: Arc::clone(&self.clock),
            keys: Arc::clone(&keys),
        };
        Ok(Verifier(Arc::new(Inner {
            issuer: self.issuer,
            audience: self.audience,
            clock: self.clock,
            keys,
            seen: SeenTokens::new(),
            activity: self.activity.map(ActivityReporter::new),
            permissions: self.permissions,
            resource,
            record: self.record,
            feed: Feed::new(self.revocations, whose),
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
