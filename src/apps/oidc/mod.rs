//! The app as an OpenID Connect client: what it asks of the issuer, and how it checks the answer.

mod answer;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration as Real, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use openidconnect::core::{CoreAuthPrompt, CoreAuthenticationFlow};
use openidconnect::{
    AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, IssuerUrl, LoginHint,
    LogoutRequest, Nonce, NonceVerifier, OAuth2TokenResponse as _, PkceCodeChallenge,
    PkceCodeVerifier, PostLogoutRedirectUrl, ProviderMetadataWithLogout, RedirectUrl, RefreshToken,
    Scope, TokenResponse as _,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use url::Url;

use answer::{Claims, Configured, Response, Token, of_token_endpoint, told};
pub use answer::{Granted, IdentityOf, OidcError};

use super::api::Challenge;
use super::calls::Caller;
use super::model::{PendingLogin, Renewed, digest};
use crate::env::Env;

/// How long what discovery said is believed without asking again.
const METADATA_FRESH: Real = Real::from_mins(15);
/// How soon it may be asked again for a key that it did not name.
const METADATA_PAUSE: Real = Real::from_secs(30);
/// RFC 8693 §2.1, §3, and the issuer's own type.
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const DELEGATION: &str = "urn:lanyard:token-type:delegation";

struct Known {
    metadata: ProviderMetadataWithLogout,
    learned: Instant,
}

/// The client of one app.
pub struct Oidc {
    issuer: String,
    client_id: &'static str,
    scopes: &'static [&'static str],
    secret: SecretString,
    /// RFC 8707: whom the access token is for.
    resource: String,
    caller: Caller,
    env: Env,
    known: Mutex<Option<Arc<Known>>>,
}

impl fmt::Debug for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oidc")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// A request to the authorization endpoint, and what its callback needs.
#[derive(Debug)]
pub struct Outset {
    /// Where the browser goes.
    pub address: Url,
    /// What to keep until it comes back.
    pub pending: PendingLogin,
}

/// What a sign-in asks for.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The registered callback.
    pub redirect_uri: String,
    /// Comes back unchanged.
    pub state: &'a str,
    /// The clinic's slug, if the host names one.
    pub organization: Option<&'a str>,
    /// Whether no page may be shown.
    pub is_silent: bool,
    /// What an API wants her to prove before it does what she typed (RFC 9470 §4).
    pub step_up: Option<&'a Challenge>,
    /// What she typed.
    pub sends: Option<&'a str>,
    /// For whom somebody told the app to begin it, opaque to it (OIDC Core §4).
    pub login_hint: Option<&'a str>,
    /// The session under `act` that is renewed, with its ID token.
    pub renews: Option<(Renewed, &'a str)>,
}

impl Oidc {
    /// For one app, not yet connected: its name at the issuer, and what it asks for.
    pub fn new(
        issuer: &str,
        (client_id, scopes): (&'static str, &'static [&'static str]),
        secret: SecretString,
        caller: Caller,
        env: Env,
    ) -> Self {
        Self {
            issuer: issuer.to_owned(),
            client_id,
            scopes,
            secret,
            resource: super::api::audience(issuer),
            caller,
            env,
            known: Mutex::new(None),
        }
    }

    /// Where to send the browser (OIDC Core §3.1.2.1; PKCE with S256, RFC 7636).
    pub async fn begin(&self, asked: Asked<'_>) -> Result<Outset, OidcError> {
        let client = self.client(&*self.known(METADATA_FRESH).await?);
        let client = client.set_redirect_uri(address(&asked.redirect_uri)?);
        let nonce = self.fresh();
        let verifier = PkceCodeVerifier::new(self.fresh());
        let (state, for_token) = (asked.state.to_owned(), nonce.clone());
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(for_token),
            )
            .add_scopes(self.scopes.iter().map(|s| Scope::new((*s).to_owned())))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .add_extra_param("resource", self.resource.clone());
        if asked.is_silent {
            request = request.add_prompt(CoreAuthPrompt::None);
        }
        if let Some(challenge) = asked.step_up {
            if let Some(values) = &challenge.acr_values {
                request = request.add_extra_param("acr_values", values.clone());
            }
            if let Some(seconds) = challenge.max_age {
                request = request.set_max_age(Real::from_secs(seconds.into()));
            }
        }
        if let Some(slug) = asked.organization {
            request = request.add_extra_param("organization", slug.to_owned());
        }
        if let Some(hint) = asked.login_hint {
            request = request.set_login_hint(LoginHint::new(hint.to_owned()));
        }
        let hint = match &asked.renews {
            None => None,
            Some((_, id_token)) => Some(parse(id_token)?),
        };
        if let Some(hint) = &hint {
            request = request.set_id_token_hint(hint);
        }
        let (address, _, _) = request.url();
        let pending = PendingLogin {
            nonce,
            pkce_verifier: verifier.secret().clone(),
            redirect_uri: asked.redirect_uri,
            is_silent: asked.is_silent,
            sends: asked.sends.map(digest),
            is_initiated: asked.login_hint.is_some(),
            renews: asked.renews.map(|(renewed, _)| renewed),
        };
        Ok(Outset { address, pending })
    }

    /// Changes a code into tokens, and checks the ID token (OIDC Core §3.1.3.7).
    pub async fn redeem(&self, code: &str, pending: PendingLogin) -> Result<Granted, OidcError> {
        let known = self.known(METADATA_FRESH).await?;
        let client = self
            .client(&known)
            .set_redirect_uri(address(&pending.redirect_uri)?);
        let http = self.caller.for_oidc();
        let answer = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|e| OidcError::BadAnswer(e.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(pending.pkce_verifier))
            .add_extra_param("resource", self.resource.clone())
            .request_async(&http)
            .await
            .map_err(of_token_endpoint)?;
        let nonce = Nonce::new(pending.nonce);
        let granted = self.granted(known, &answer, &nonce).await?;
        if granted.id_token.is_none() {
            return Err(OidcError::BadAnswer("no ID token".to_owned()));
        }
        Ok(granted)
    }

    /// Asks for fresh tokens. The same refresh token again, after a lost answer, gets the same
    /// successor (design §5).
    pub async fn refresh(&self, refresh_token: &str) -> Result<Granted, OidcError> {
        let known = self.known(METADATA_FRESH).await?;
        let client = self.client(&known);
        let http = self.caller.for_oidc();
        let answer = client
            .exchange_refresh_token(&RefreshToken::new(refresh_token.to_owned()))
            .map_err(|e| OidcError::BadAnswer(e.to_string()))?
            .request_async(&http)
            .await
            .map_err(of_token_endpoint)?;
        // OIDC Core §12.2: the ID token of a refresh should have no nonce.
        self.granted(known, &answer, |_: Option<&Nonce>| Ok(()))
            .await
    }

    /// An access token for somebody else's record, under a delegation (RFC 8693), for one look;
    /// `None` if the issuer gives none.
    ///
    /// - `delegation`: its id
    /// - `access_token`: the proxy's own
    pub async fn exchange(
        &self,
        delegation: &str,
        access_token: &str,
    ) -> Result<Option<SecretString>, OidcError> {
        #[derive(serde::Deserialize)]
        struct Exchanged {
            access_token: SecretString,
        }
        let known = self.known(METADATA_FRESH).await?;
        let endpoint = known.metadata.token_endpoint().map(|at| at.url().clone());
        let endpoint = endpoint.ok_or_else(|| OidcError::BadAnswer("no /token".to_owned()))?;
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", EXCHANGE)
            .append_pair("subject_token", delegation)
            .append_pair("subject_token_type", DELEGATION)
            .append_pair("actor_token", access_token)
            .append_pair("actor_token_type", ACCESS_TOKEN)
            .append_pair("audience", &self.resource)
            .finish();
        let headers = self.as_client()?;
        let sent = self.caller.post(endpoint, headers, form).await;
        let (status, _, body) =
            sent.map_err(|error| OidcError::Unreachable(crate::http::chain(&error)))?;
        match status {
            200 => serde_json::from_slice::<Exchanged>(&body)
                .map(|given| Some(given.access_token))
                .map_err(|error| OidcError::BadAnswer(error.to_string())),
            400 => Ok(None),
            status => Err(OidcError::Unreachable(format!("status {status}"))),
        }
    }

    /// `client_secret_basic` (RFC 6749 §2.3.1), before a form.
    fn as_client(&self) -> Result<HeaderMap, OidcError> {
        let part =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!(
            "{}:{}",
            part(self.client_id),
            part(self.secret.expose_secret())
        );
        let basic = format!("Basic {}", STANDARD.encode(pair));
        let mut basic = HeaderValue::from_str(&basic)
            .map_err(|_| OidcError::BadAnswer("a secret that is no header".to_owned()))?;
        basic.set_sensitive(true);
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        Ok(HeaderMap::from_iter([
            (AUTHORIZATION, basic),
            (CONTENT_TYPE, form),
        ]))
    }

    /// Where to send the browser to sign out everywhere (RP-Initiated Logout §2).
    pub async fn logout(&self, id_token: &str, back_to: &str) -> Result<Option<Url>, OidcError> {
        let known = self.known(METADATA_FRESH).await?;
        let Some(endpoint) = known
            .metadata
            .additional_metadata()
            .end_session_endpoint
            .clone()
        else {
            return Ok(None);
        };
        let bad = |e: &dyn fmt::Display| OidcError::BadAnswer(e.to_string());
        let hint = parse(id_token)?;
        let back = PostLogoutRedirectUrl::new(back_to.to_owned()).map_err(|e| bad(&e))?;
        let request = LogoutRequest::from(endpoint)
            .set_client_id(ClientId::new(self.client_id.to_owned()))
            .set_id_token_hint(&hint)
            .set_post_logout_redirect_uri(back);
        Ok(Some(request.http_get_url()))
    }

    fn client(&self, known: &Known) -> Configured {
        let secret = ClientSecret::new(self.secret.expose_secret().to_owned());
        let id = ClientId::new(self.client_id.to_owned());
        Client::from_provider_metadata(known.metadata.clone(), id, Some(secret))
    }

    /// What discovery said; asked again once it is older than `fresh`. One question at a time.
    async fn known(&self, fresh: Real) -> Result<Arc<Known>, OidcError> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref().filter(|k| k.learned.elapsed() < fresh) {
            return Ok(Arc::clone(known));
        }
        let issuer =
            IssuerUrl::new(self.issuer.clone()).map_err(|e| OidcError::BadAnswer(e.to_string()))?;
        let http = self.caller.for_oidc();
        match ProviderMetadataWithLogout::discover_async(issuer, &http).await {
            Ok(metadata) => {
                let learned = Arc::new(Known {
                    metadata,
                    learned: Instant::now(),
                });
                *known = Some(Arc::clone(&learned));
                Ok(learned)
            }
            // While the issuer is away, what it said last is used on.
            Err(error) => known
                .clone()
                .ok_or_else(|| OidcError::Unreachable(crate::http::chain(&error))),
        }
    }

    async fn granted(
        &self,
        known: Arc<Known>,
        answer: &Response,
        nonce: impl NonceVerifier + Clone,
    ) -> Result<Granted, OidcError> {
        let id_token = match answer.id_token() {
            None => None,
            Some(token) => match self.check(&known, token, nonce.clone()) {
                Ok(identity) => Some(identity),
                // Signed by a key that came after our last look.
                Err(_) => Some(self.check(&*self.known(METADATA_PAUSE).await?, token, nonce)?),
            },
        };
        let now = self.env.now();
        let clocks = answer.extra_fields().extra_fields();
        let lifetime = answer.expires_in().unwrap_or(Real::from_mins(1));
        Ok(Granted {
            access_token: answer.access_token().secret().as_str().into(),
            access_ends_at: now + lifetime,
            refresh_token: answer.refresh_token().map(|t| t.secret().as_str().into()),
            id_token,
            told: told(clocks, now),
            limit_is_told: clocks.idle_limit.is_some(),
        })
    }

    fn check(
        &self,
        known: &Known,
        token: &Token,
        nonce: impl NonceVerifier,
    ) -> Result<IdentityOf, OidcError> {
        let now = self.env.now();
        let client = self.client(known);
        let verifier = client
            .id_token_verifier()
            .set_time_fn(move || std::time::SystemTime::from(now).into());
        let claims: &Claims = token
            .claims(&verifier, nonce)
            .map_err(|e| OidcError::BadAnswer(crate::http::chain(&e)))?;
        Ok(IdentityOf {
            raw: token.to_string(),
            subject: claims.subject().as_str().to_owned(),
            tenant: claims.additional_claims().tid,
            name: claims
                .name()
                .and_then(|name| name.get(None))
                .map(|name| name.as_str().to_owned()),
            acting: claims.additional_claims().acting(),
        })
    }

    /// 43 characters nobody can guess; a PKCE verifier's least length (RFC 7636 §4.1).
    fn fresh(&self) -> String {
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.env.random_bytes::<32>())
    }
}

fn parse(id_token: &str) -> Result<Token, OidcError> {
    let parsed = id_token.parse();
    parsed.map_err(|e: serde_json::Error| OidcError::BadAnswer(e.to_string()))
}

fn address(text: &str) -> Result<RedirectUrl, OidcError> {
    RedirectUrl::new(text.to_owned()).map_err(|e| OidcError::BadAnswer(e.to_string()))
}
