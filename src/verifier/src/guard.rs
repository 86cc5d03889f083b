//! What a route asks for beyond a good token.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::request::Parts;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::challenge::Refusal;
use crate::impersonation::{Named, is_never_lent};
use crate::layer::LetInBy;
use crate::tenant::{TenantDirectory, TenantRule};
use crate::{Actor, Preset, Principal, Support, Verifier, WhenStale};

/// What a route asks for beyond a good token. Join several with [`Guard::and`]; all must hold.
///
/// Either in the verifying layer (`verifier.layer().guard(..)`) or as a layer of its own further
/// in; outside of a verifying layer it lets nothing pass.
///
/// ```
/// use std::time::Duration;
/// use lanyard_verifier::Guard;
///
/// let sign_note = Guard::scope("visits:write")
///     .and(Guard::permission("visits.note.sign"))
///     .and(Guard::max_age(Duration::from_secs(300)));
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Guard {
    scopes: Vec<String>,
    permissions: Vec<String>,
    tenants: Vec<Arc<TenantRule>>,
    acr_values: Option<Vec<String>>,
    max_age: Option<Duration>,
    refused: Named,
    allowed: Named,
    presets: Option<Vec<Preset>>,
    when_stale: Option<WhenStale>,
}

impl Guard {
    /// The client was granted this scope. Refused with 403 `insufficient_scope`.
    pub fn scope(scope: impl Into<String>) -> Self {
        Self {
            scopes: vec![scope.into()],
            ..Self::default()
        }
    }

    /// One of the person's roles carries this key, `module.resource.action`, in the verifier's
    /// [`Permissions`](crate::Permissions). Refused with 403; an actor also when the key is one
    /// that is never lent.
    pub fn permission(key: impl Into<String>) -> Self {
        Self {
            permissions: vec![key.into()],
            ..Self::default()
        }
    }

    /// The person signed in with one of these `acr`. Refused with the challenge of RFC 9470.
    pub fn acr<S: Into<String>>(acr_values: impl IntoIterator<Item = S>) -> Self {
        let acr_values = acr_values.into_iter().map(Into::into).collect();
        Self {
            acr_values: Some(acr_values),
            ..Self::default()
        }
    }

    /// The person signed in at most so long ago. Refused with the challenge of RFC 9470.
    pub fn max_age(max_age: Duration) -> Self {
        Self {
            max_age: Some(max_age),
            ..Self::default()
        }
    }

    /// The host is `<clinic>.<base>`, and the token is for that clinic.
    ///
    /// Only the request's own host counts, never a forwarded one. A host that is no clinic's is
    /// answered 421; another clinic's token gets the same 401 as a forged one.
    ///
    /// - `base`: the domain under which the clinics are, such as `clinics.example`.
    /// - `directory`: tells which clinic has a name.
    pub fn tenant_in_host(base: &str, directory: impl TenantDirectory + 'static) -> Self {
        Self::tenant(TenantRule::host(base, Arc::new(directory)))
    }

    /// The path names the token's clinic, by id or by name.
    ///
    /// Another clinic's token gets the same 401 as a forged one; a name of no clinic is 404.
    ///
    /// - `template`: the route's path, or the beginning of it; its first segment in braces is the
    ///   clinic: `/api/v1/clinics/{tenant}`. As the guard sees the path: inside of `Router::nest`
    ///   without the nested prefix.
    ///
    /// # Panics
    /// If the template has no segment in braces.
    pub fn tenant_in_path(template: &str, directory: impl TenantDirectory + 'static) -> Self {
        Self::tenant(TenantRule::path(template, Arc::new(directory)))
    }

    /// Lets unsafe methods pass when support staff act as the subject, unless the grant is for
    /// reading only. Only in [`VerifyLayer::guard`]: a layer further out has already refused
    /// otherwise. A permission key that is never lent ([`is_never_lent`]) refuses an actor all the
    /// same.
    ///
    /// [`VerifyLayer::guard`]: crate::VerifyLayer::guard
    pub fn allow_impersonation() -> Self {
        Self {
            allowed: Named {
                support: true,
                proxies: false,
            },
            ..Self::default()
        }
    }

    /// The same when a patient's proxy acts for her. Neither allows the other's.
    pub fn allow_proxies() -> Self {
        Self {
            allowed: Named {
                support: false,
                proxies: true,
            },
            ..Self::default()
        }
    }

    /// Nobody acts as the person here, not to look either: support staff and proxies are refused
    /// with 403 `impersonation_forbidden`, whatever else the route allows.
    pub fn in_person() -> Self {
        Self {
            refused: Named {
                support: true,
                proxies: true,
            },
            ..Self::default()
        }
    }

    /// No proxy here, not to look either: what is asked for is none of what a delegation lends.
    pub fn without_proxies() -> Self {
        Self {
            refused: Named {
                support: false,
                proxies: true,
            },
            ..Self::default()
        }
    }

    /// Of support staff only those pass, to look too, whose grant has one of these presets: those
    /// under which what is asked for is lent. A token carries scopes, and one scope may cover more
    /// than was lent. With none of them nobody of support passes.
    pub fn support_under(presets: impl IntoIterator<Item = Preset>) -> Self {
        Self {
            presets: Some(presets.into_iter().collect()),
            ..Self::default()
        }
    }

    /// What the route does while the verifier does not know what was revoked lately; asks for
    /// nothing. Only in [`VerifyLayer::guard`]: a layer further out has already refused otherwise.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use lanyard_verifier::{Guard, WhenStale};
    /// let sign = Guard::scope("visits:write").and(Guard::when_stale(WhenStale::FailClosed));
    /// let read = Guard::scope("visits:read").and(Guard::when_stale(WhenStale::Introspect));
    /// let opening_hours = Guard::when_stale(WhenStale::AcceptUpTo(Duration::from_secs(300)));
    /// ```
    ///
    /// [`VerifyLayer::guard`]: crate::VerifyLayer::guard
    pub fn when_stale(policy: WhenStale) -> Self {
        Self {
            when_stale: Some(policy),
            ..Self::default()
        }
    }

    fn tenant(rule: TenantRule) -> Self {
        Self {
            tenants: vec![Arc::new(rule)],
            ..Self::default()
        }
    }

    /// Both: what either asks for is asked for.
    pub fn and(mut self, other: Self) -> Self {
        self.scopes.extend(other.scopes);
        self.permissions.extend(other.permissions);
        self.tenants.extend(other.tenants);
        self.acr_values = match (self.acr_values, other.acr_values) {
            (Some(mine), Some(theirs)) => Some(
                mine.into_iter()
                    .filter(|acr| theirs.contains(acr))
                    .collect(),
            ),
            (mine, theirs) => mine.or(theirs),
        };
        self.max_age = match (self.max_age, other.max_age) {
            (Some(mine), Some(theirs)) => Some(mine.min(theirs)),
            (mine, theirs) => mine.or(theirs),
        };
        self.presets = match (self.presets, other.presets) {
            (Some(mine), Some(theirs)) => {
                let both = mine.into_iter().filter(|preset| theirs.contains(preset));
                Some(both.collect())
            }
            (mine, theirs) => mine.or(theirs),
        };
        self.refused = self.refused.or(other.refused);
        self.allowed = self.allowed.or(other.allowed);
        self.when_stale = match (self.when_stale, other.when_stale) {
            (Some(mine), Some(theirs)) => Some(mine.stricter(theirs)),
            (mine, theirs) => mine.or(theirs),
        };
        self
    }

    pub(crate) fn policy_when_stale(&self) -> Option<WhenStale> {
        self.when_stale
    }

    /// Who may change something here while acting as somebody else.
    pub(crate) fn allowed(&self) -> Named {
        self.allowed
    }

    /// The clinic first: who is at the wrong one learns nothing more.
    pub(crate) async fn check(
        &self,
        parts: &Parts,
        principal: &Principal,
        verifier: &Verifier,
    ) -> Result<(), Refusal> {
        for rule in &self.tenants {
            if rule.tenant_of(parts).await? != principal.tenant() {
                return Err(Refusal::InvalidToken);
            }
        }
        if let Some(missing) = self.scopes.iter().find(|scope| !principal.has_scope(scope)) {
            return Err(Refusal::Scope(missing.clone()));
        }
        if principal.actor().is_some_and(|actor| !self.lends_to(actor)) {
            return Err(Refusal::Impersonation);
        }
        let may = |key: &String| verifier.permissions().allow(principal.roles(), key);
        if !self.permissions.iter().all(may) {
            return Err(Refusal::Permission);
        }
        self.check_sign_in(principal, verifier)
    }

    fn lends_to(&self, actor: &Actor) -> bool {
        let is_under = |support: Support| {
            let presets = self.presets.as_ref();
            presets.is_none_or(|presets| presets.contains(&support.preset))
        };
        !self.permissions.iter().any(|key| is_never_lent(key))
            && !self.refused.names(actor)
            && actor.support().is_none_or(is_under)
    }

    /// RFC 9470 §3. A client that acts for itself never signed in, so it never passes.
    fn check_sign_in(&self, principal: &Principal, verifier: &Verifier) -> Result<(), Refusal> {
        let strong = self.acr_values.as_ref().is_none_or(|values| {
            principal
                .acr()
                .is_some_and(|acr| values.iter().any(|value| value == acr))
        });
        let fresh = self.max_age.is_none_or(|max_age| {
            let now = verifier.clock().now();
            principal
                .auth_time()
                .is_some_and(|auth_time| now - auth_time <= max_age)
        });
        if strong && fresh {
            return Ok(());
        }
        Err(Refusal::StepUp {
            acr_values: self.acr_values.clone().unwrap_or_default(),
            max_age: self.max_age,
        })
    }
}

impl<S> Layer<S> for Guard {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> GuardService<S> {
        GuardService {
            inner,
            guard: Arc::new(self.clone()),
        }
    }
}

/// What [`Guard`] makes of a service.
#[derive(Clone)]
pub struct GuardService<S> {
    inner: S,
    guard: Arc<Guard>,
}

impl<S> fmt::Debug for GuardService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardService")
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for GuardService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let guard = Arc::clone(&self.guard);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let principal = parts.extensions.get::<Arc<Principal>>().cloned();
            let let_in_by = parts.extensions.get::<LetInBy>().cloned();
            let (Some(principal), Some(LetInBy(verifier))) = (principal, let_in_by) else {
                tracing::error!("a guard stands outside of the verifying layer");
                return Ok(Refusal::NoToken.answer(None));
            };
            match guard.check(&parts, &principal, &verifier).await {
                Ok(()) => inner.call(Request::from_parts(parts, body)).await,
                Err(refusal) => {
                    let recorded = verifier.record(&parts, &principal, Some(&refusal)).await;
                    let refusal = recorded.err().unwrap_or(refusal);
                    Ok(refusal.answer(Some(&verifier)))
                }
            }
        })
    }
}
