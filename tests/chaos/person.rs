//! Somebody with a browser and two apps, who follows the protocol: a refresh whose answer was
//! lost is tried again with the same token, a code is not; a logout is tried again; after a lost
//! change of the password the new one is tried before the old.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lanyard::identity::totp::TotpSecret;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use uuid::Uuid;

use super::browser::{Answer, Browser, Lost};
use super::deployment::{PASSWORD, Party, REDIRECT, login};
use super::journal::{Deed, Journal, Outcome, Tokens};
use super::seed::Chance;

const VERIFIER: &str = "a-verifier-of-more-than-forty-three-characters-0";
/// Who got no answer tries again after this.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) struct Person {
    number: usize,
    parties: Vec<Party>,
    browser: Browser,
    journal: Arc<Journal>,
    chance: Chance,
    /// How often the password was changed, as far as is known.
    changes: usize,
    /// A change whose answer was lost.
    is_in_doubt: bool,
}

/// An app's hold.
struct Held {
    party: Party,
    tokens: Tokens,
}

/// Where a browser's way ended.
enum Arrived {
    Code(String),
    Nowhere,
}

impl Person {
    pub(crate) fn new(
        number: usize,
        parties: &[Party],
        issuer: &str,
        journal: &Arc<Journal>,
        chance: Chance,
    ) -> Self {
        Self {
            number,
            parties: parties.to_vec(),
            browser: Browser::at(issuer),
            journal: Arc::clone(journal),
            chance,
            changes: 0,
            is_in_doubt: false,
        }
    }

    /// Day after day until told to stop; then everything that is held is used once more.
    pub(crate) async fn live(mut self, stop: Arc<AtomicBool>) {
        while !stop.load(Ordering::SeqCst) {
            self.day().await;
        }
    }

    /// A sign-in to both apps, refreshes, perhaps another password, and the end of the session.
    pub(crate) async fn day(&mut self) {
        self.browser.forget_everything();
        let mut held = Vec::new();
        for party in self.parties.clone() {
            let tokens = self.enter(&party).await;
            held.push(Held { party, tokens });
        }
        for _ in 0..2 + self.chance.below(8) {
            let which = self.chance.below(held.len());
            self.refresh(&mut held[which]).await;
        }
        if self.chance.below(3) == 0 {
            self.change_password().await;
            for one in &mut held {
                self.refresh(one).await;
            }
        }
        self.sign_out(&held).await;
        for one in &held {
            // Over: to be refused.
            self.present(&one.party, &one.tokens).await;
        }
    }

    /// Until a code was exchanged for tokens.
    pub(crate) async fn enter(&mut self, party: &Party) -> Tokens {
        loop {
            let Arrived::Code(code) = self.authorize(party).await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let sent = self.journal.tick();
            let fields = [
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", REDIRECT),
                ("code_verifier", VERIFIER),
            ];
            let outcome = self.ask(party, &fields).await;
            let deed = Deed::Redeem {
                person: self.number,
            };
            self.journal.note(sent, deed, outcome.clone());
            if let Outcome::Done(Some(tokens)) = outcome {
                return *tokens;
            }
        }
    }

    /// From the app's request through our pages to a code.
    async fn authorize(&mut self, party: &Party) -> Arrived {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
        let request = format!(
            "/authorize?response_type=code&client_id={}&redirect_uri={REDIRECT}&scope={}&state=s\
             &nonce=n&code_challenge={challenge}&code_challenge_method=S256",
            party.id,
            party.scopes.replace(' ', "%20")
        );
        let mut answer = self.browser.get(&request).await;
        for _ in 0..12 {
            let Ok(page) = self.judged(answer) else {
                return Arrived::Nowhere;
            };
            answer = match &page.location {
                Some(to) if to.as_str().starts_with(REDIRECT) => {
                    let code = to.query_pairs().find(|(name, _)| name == "code");
                    return code.map_or(Arrived::Nowhere, |(_, code)| Arrived::Code(code.into()));
                }
                Some(to) => self.browser.get(to.as_str()).await,
                None if page.has_form("identifier-form") => {
                    let login = login(self.number);
                    let fields = [("login", login.as_str())];
                    self.browser.submit(&page, "identifier-form", &fields).await
                }
                None if page.has_form("password-form") => self.prove(&page).await,
                None if page.has_form("enroll-form") => self.enroll(&page).await,
                None if page.body.contains("id=\"recovery-codes\"") => {
                    let onward = page.body.split("href=\"").find(|rest| {
                        rest.split('>')
                            .next()
                            .is_some_and(|tag| tag.contains("id=\"onward\""))
                    });
                    let onward = onward.and_then(|rest| rest.split('"').next()).unwrap();
                    self.browser.get(&onward.replace("&#38;", "&")).await
                }
                // Ours to begin anew: its request is over.
                None => return Arrived::Nowhere,
            };
        }
        Arrived::Nowhere
    }

    /// Types the password.
    async fn prove(&mut self, page: &Answer) -> Result<Answer, Lost> {
        let password = self.changes;
        let typed = format!("{PASSWORD} {password}");
        let sent = self.journal.tick();
        let fields = [("password", typed.as_str())];
        let answer = self.browser.submit(page, "password-form", &fields).await;
        let outcome = match &answer {
            Ok(answer) if answer.location.is_some() => {
                self.is_in_doubt = false;
                Outcome::Done(None)
            }
            Ok(answer) if answer.status == 403 && self.is_in_doubt => {
                // The lost change had not happened.
                self.is_in_doubt = false;
                self.changes -= 1;
                Outcome::Unknown
            }
            Ok(answer) if !answer.failed() => Outcome::Refused(answer.status.to_string()),
            Ok(_) | Err(_) => Outcome::Unknown,
        };
        let person = self.number;
        let deed = Deed::SignIn { person, password };
        self.journal.note(sent, deed, outcome);
        answer
    }

    /// Sets up an authenticator app, as who works somewhere has to at her first sign-in.
    async fn enroll(&mut self, page: &Answer) -> Result<Answer, Lost> {
        let key = page.body.split("id=\"secret\">").nth(1).unwrap();
        let key: String = key.split('<').next().unwrap().split(' ').collect();
        let secret = TotpSecret::parse(&key).expect("the key that an app takes");
        let now = time::OffsetDateTime::UNIX_EPOCH + std::time::UNIX_EPOCH.elapsed().unwrap();
        let code = secret.code_at(now);
        let fields = [("code", code.as_str())];
        self.browser.submit(page, "enroll-form", &fields).await
    }

    async fn refresh(&mut self, held: &mut Held) {
        loop {
            match self.present(&held.party, &held.tokens).await {
                Outcome::Done(Some(tokens)) => {
                    held.tokens = *tokens;
                    return;
                }
                Outcome::Done(None) | Outcome::Refused(_) => return,
                Outcome::Unknown => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// One request with a refresh token.
    pub(crate) async fn present(&self, party: &Party, tokens: &Tokens) -> Outcome {
        let sent = self.journal.tick();
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", tokens.refresh.as_str()),
        ];
        let outcome = self.ask(party, &fields).await;
        let deed = Deed::Refresh {
            family: tokens.family,
            sid: tokens.sid,
            generation: tokens.generation,
        };
        self.journal.note(sent, deed, outcome.clone());
        outcome
    }

    async fn change_password(&mut self) {
        let Ok(page) = self.browser.get("/account/password").await else {
            return;
        };
        if !page.has_form("change-password-form") {
            return;
        }
        let from = self.changes;
        let (current, new) = (
            format!("{PASSWORD} {from}"),
            format!("{PASSWORD} {}", from + 1),
        );
        let sent = self.journal.tick();
        let fields = [
            ("current_password", current.as_str()),
            ("new_password", new.as_str()),
        ];
        let answer = self
            .browser
            .submit(&page, "change-password-form", &fields)
            .await;
        let outcome = match self.judged(answer) {
            Ok(answer) if answer.location.is_some() => Outcome::Done(None),
            Ok(answer) => Outcome::Refused(answer.status.to_string()),
            Err(()) => Outcome::Unknown,
        };
        self.is_in_doubt = outcome == Outcome::Unknown;
        if !matches!(outcome, Outcome::Refused(_)) {
            self.changes += 1;
        }
        let person = self.number;
        let deed = Deed::ChangePassword { person, from };
        self.journal.note(sent, deed, outcome);
    }

    /// By the app that signed in first; again until it is acknowledged.
    async fn sign_out(&mut self, held: &[Held]) {
        let Some(Held { party, tokens }) = held.first() else {
            return;
        };
        let request = format!(
            "/logout?id_token_hint={}&client_id={}",
            tokens.id_token, party.id
        );
        loop {
            let sent = self.journal.tick();
            let answer = self.browser.get(&request).await;
            let outcome = match self.judged(answer) {
                Ok(answer) if answer.location.is_some() => Outcome::Done(None),
                Ok(answer) => Outcome::Refused(answer.status.to_string()),
                Err(()) => Outcome::Unknown,
            };
            let deed = Deed::Logout { sid: tokens.sid };
            self.journal.note(sent, deed, outcome.clone());
            if outcome != Outcome::Unknown {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// `POST /token`.
    async fn ask(&self, party: &Party, fields: &[(&str, &str)]) -> Outcome {
        let mut fields = fields.to_vec();
        let basic = party
            .secret
            .as_deref()
            .map(|secret| (party.id.as_str(), secret));
        if basic.is_none() {
            fields.push(("client_id", &party.id));
        }
        let answer = self.browser.post("/token", basic, &fields).await;
        match self.judged(answer) {
            Ok(answer) if answer.status == 200 => {
                Outcome::Done(Some(Box::new(read_tokens(&answer.body))))
            }
            Ok(answer) => Outcome::Refused(answer.body),
            Err(()) => Outcome::Unknown,
        }
    }

    /// An answer of which something is known. A server that hangs, or says that it is broken, is
    /// put on the record.
    fn judged(&self, answer: Result<Answer, Lost>) -> Result<Answer, ()> {
        match answer {
            Ok(answer) if answer.failed() => {
                if answer.status == 500 || (answer.status == 503 && !answer.retry_after) {
                    let what = format!("an answer {}: {}", answer.status, answer.body);
                    self.journal.saw(what);
                }
                Err(())
            }
            Ok(answer) => Ok(answer),
            Err(lost) => {
                if lost.hung {
                    self.journal
                        .saw("a request that was never answered".to_owned());
                }
                Err(())
            }
        }
    }
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).expect("a JWT");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn read_tokens(body: &str) -> Tokens {
    let body: Value = serde_json::from_str(body).unwrap();
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    let (access, id_token, refresh) = (
        text("access_token"),
        text("id_token"),
        text("refresh_token"),
    );
    let encoded = refresh.split_once('_').expect("our format").1;
    let bytes = URL_SAFE_NO_PAD.decode(encoded).unwrap();
    let jwts = [access.as_str(), id_token.as_str()];
    let jwts = jwts.into_iter().filter(|jwt| !jwt.is_empty());
    Tokens {
        family: Uuid::from_slice(&bytes[16..32]).unwrap(),
        generation: u32::from_be_bytes(bytes[32..36].try_into().unwrap()),
        sid: part(&access, 1)["sid"].as_str().unwrap().parse().unwrap(),
        kids: jwts
            .map(|jwt| part(jwt, 0)["kid"].as_str().unwrap().to_owned())
            .collect(),
        refresh,
        access,
        id_token,
    }
}
