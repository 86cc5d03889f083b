//! The run's second part: support helps a patient, everybody sees it, and the log proves it.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::DemoError;
use super::browser::Browser;
use super::desk::{Desk, refused};
use super::drive::{Outcome, Run, Telling};
use super::state;
use super::world::{ANA, GRACE, PIOTR};
use crate::audit::format::export::{Verdict, verify};
use crate::audit::format::{Line, Vkey};
use crate::audit::log::{Logs, Wanted};
use crate::cli::Operator;
use crate::ids::TenantId;
use crate::pages::paths;

/// What Ana calls about, for her and her clinic to read.
const REASON: &str = "The next visit does not show";
const TICKET: &str = "HELP-4711";
/// The log's export, and a copy of it with one byte changed, in the demo's folder.
pub(super) const EXPORT: &str = "juniper-log.ndjson";
const CHANGED: &str = "juniper-log-changed.ndjson";
/// The keys that it is checked by, as the issuer publishes them.
pub(super) const KEYS: &str = "log-keys.json";

/// Who is in it, and what they hold so far.
struct Story<'a> {
    run: &'a Run<'a>,
    desk: Desk<'a>,
    ana: Browser,
    /// Piotr's own access token.
    piotrs: String,
    /// The grant's id.
    grant: String,
    /// The token under `act`.
    acting: String,
    /// The log as it was exported, and the keys to it.
    export: Vec<u8>,
    keys: Vec<Vkey>,
}

/// Tells it, step by step.
pub(super) async fn tell(run: &Run<'_>, telling: &mut Telling<'_>) {
    let mut story = Story {
        run,
        desk: Desk::new(run.app, run.world),
        ana: Browser::new(&run.app.config),
        piotrs: String::new(),
        grant: String::new(),
        acting: String::new(),
        export: Vec::new(),
        keys: Vec::new(),
    };
    let words = "Piotr of support asks to act as Ana, who called";
    telling.step(words, story.ask()).await;
    let words = "Grace, who runs Juniper, lets him";
    telling.step(words, story.approve()).await;
    telling.step("he sees Ana's visits", story.look()).await;
    telling.step("and may write nothing", story.write()).await;
    let words = "Ana sees who acts as her and what was opened";
    telling.step(words, story.see()).await;
    let words = "ends it, and he is given no token any more";
    telling.step(words, story.end()).await;
    let words = "Juniper's log, exported, verifies";
    telling.step(words, story.export()).await;
    let words = "one byte of a copy is changed";
    telling.step(words, async { story.change_a_byte() }).await;
}

impl Story<'_> {
    /// Signs somebody in at the support's desk; gives her access token.
    async fn seat(&self, login: &str) -> Result<String, DemoError> {
        let browser = Browser::new(&self.run.app.config);
        let outset = self.desk.begin(self.run.app);
        let first = browser.visit(&outset.address).await?;
        let back = self.run.type_in(&browser, first, login).await?;
        self.desk.redeem(outset, &back).await
    }

    async fn ask(&mut self) -> Outcome {
        self.run.sign_in_at(&self.ana, "juniper", ANA).await?;
        // What she would read out on the phone: her portal shows it.
        let (status, her) = self.run.ask_api(&self.ana, "me").await?;
        let (subject, clinic) = (&her["me"]["id"], &her["clinic"]["id"]);
        if !subject.is_string() {
            return Err(answered(status, &her));
        }
        let wish = json!({
            "clinic": clinic, "subject": subject, "reason": REASON, "ticket": TICKET,
            "preset": "read-only", "minutes": 15,
        });
        self.piotrs = self.seat(PIOTR).await?;
        let asked = self
            .desk
            .change("/impersonations", &self.piotrs, Some(&wish))
            .await?;
        let told = in_state(asked, "requested")?;
        told["id"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut self.grant);
        Ok(Some(TICKET.to_owned()))
    }

    async fn approve(&mut self) -> Outcome {
        let graces = self.seat(GRACE).await?;
        let path = format!("/impersonations/{}/approve", self.grant);
        let approved = self.desk.change(&path, &graces, None).await?;
        in_state(approved, "approved")?;
        Ok(None)
    }

    async fn look(&mut self) -> Outcome {
        let path = format!("/impersonations/{}/start", self.grant);
        let started = self.desk.change(&path, &self.piotrs, None).await?;
        in_state(started, "active")?;
        let exchanged = self.desk.exchange(&self.grant, &self.piotrs).await?;
        self.acting = exchanged.map_err(|word| refused(&word))?;
        match self.desk.read("/visits", &self.acting).await? {
            (200, body) => {
                let count = body["visits"].as_array().map_or(0, Vec::len);
                Ok(Some(format!("200, {count} visits")))
            }
            (status, body) => Err(answered(status, &body)),
        }
    }

    async fn write(&mut self) -> Outcome {
        let text = json!({ "text": "We are closed tomorrow." });
        let written = self.desk.change("/announcement", &self.acting, Some(&text));
        match written.await? {
            (403, _) => Ok(Some("403".to_owned())),
            (status, body) => Err(answered(status, &body)),
        }
    }

    fn her_page(&self) -> String {
        format!("{}{}", self.run.app.issuer(), paths::ACCOUNT_SUPPORT)
    }

    async fn see(&mut self) -> Outcome {
        let page = self.ana.visit(&self.her_page()).await?;
        let page = page.says("Support access")?;
        let route = "GET /api/v1/visits";
        for words in ["Piotr Nowak", REASON, TICKET, route] {
            if !page.body.contains(words) {
                return Err(DemoError::Step(format!("her page lacks `{words}`")));
            }
        }
        Ok(Some(route.to_owned()))
    }

    async fn end(&mut self) -> Outcome {
        let page = self.ana.visit(&self.her_page()).await?;
        let form = format!("end-{}", self.grant);
        let page = self.ana.submit(&page, &form, &[]).await?;
        page.says("Support access")?;
        let exchanged = self.desk.exchange(&self.grant, &self.piotrs).await?;
        let word = exchanged.err();
        match word.as_ref().and_then(Value::as_str) {
            Some("invalid_grant") => {}
            _ => return Err(DemoError::Step("he is given another token".to_owned())),
        }
        match self.desk.read("/visits", &self.acting).await? {
            (200, body) => Err(answered(200, &body)),
            _ => Ok(Some("invalid_grant".to_owned())),
        }
    }

    fn kept(&self, name: &str) -> PathBuf {
        self.run.app.config.state_dir.join(name)
    }

    fn keep(&self, name: &str, content: &[u8]) -> Result<(), DemoError> {
        let path = self.kept(name);
        state::write(&path, content).map_err(|source| DemoError::Folder {
            folder: path,
            source,
        })
    }

    /// As `lanyard audit export` and `lanyard audit verify` do it, with the keys as anybody has
    /// them.
    async fn export(&mut self) -> Outcome {
        let app = self.run.app;
        let wanted = Wanted {
            tenant: juniper(&Operator::new(&app.db, &app.env, &app.keys)).await?,
            from: 0,
            to: None,
            disclose: false,
        };
        let (logs, lifetime) = (Logs::of(app), app.config.audit.key_lifetime);
        let exported = logs.export(wanted, lifetime, &mut self.export);
        exported.await.map_err(broken)?;
        let published = format!("{}/.well-known/lanyard-audit", app.issuer());
        let known = self.ana.look(&published).await?;
        self.keep(KEYS, known.body.as_bytes())?;
        self.keep(EXPORT, &self.export)?;
        self.keys = keys(&known.body);
        let file = fs::read(self.kept(EXPORT)).map_err(broken)?;
        match verify(file.as_slice(), &self.keys, NO_ANCHOR, |_| ()).map_err(broken)? {
            Verdict::Whole(report) => {
                let of_it = self.lines().filter(|line| self.is_of_it(line)).count();
                let all = report.entries;
                Ok(Some(format!("{all} entries, {of_it} of this")))
            }
            Verdict::Broken(finding) => Err(DemoError::Step(finding.words())),
        }
    }

    /// What Piotr opened becomes something else, in a copy: the entry is named.
    fn change_a_byte(&self) -> Outcome {
        let is_a_request = |line: &&str| self.is_of_it(line) && line.contains(OPENED);
        let line = self.lines().rfind(is_a_request);
        let line = line.ok_or_else(|| DemoError::Step("no entry of a request".to_owned()))?;
        let entry = Line::parse(line).ok_or_else(|| DemoError::Step(line.to_owned()))?;
        let place = line.as_ptr().addr() - self.export.as_ptr().addr();
        let place = place + line.find(OPENED).unwrap_or_default() + OPENED.len() - 1;
        let mut copy = self.export.clone();
        copy[place] ^= 1;
        self.keep(CHANGED, &copy)?;
        match verify(copy.as_slice(), &self.keys, NO_ANCHOR, |_| ()).map_err(broken)? {
            Verdict::Broken(finding) if finding.index == Some(entry.index) => {
                Ok(Some(finding.words()))
            }
            Verdict::Broken(finding) => Err(DemoError::Step(finding.words())),
            Verdict::Whole(_) => Err(DemoError::Step("nobody notices".to_owned())),
        }
    }

    fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        let text = std::str::from_utf8(&self.export).unwrap_or_default();
        text.lines()
    }

    fn is_of_it(&self, line: &str) -> bool {
        line.contains(&self.grant)
    }
}

/// The route that was read, as an entry has it.
const OPENED: &str = "/api/v1/visits";
/// The export is checked by itself.
const NO_ANCHOR: Option<std::io::Cursor<Vec<u8>>> = None;

async fn juniper(operator: &Operator<'_>) -> Result<TenantId, DemoError> {
    let found = operator.find_tenant("juniper").await?;
    let contradiction = DemoError::Contradiction("a clinic that is not there");
    Ok(found.ok_or(contradiction)?.id)
}

/// The keys of the well-known document.
fn keys(document: &str) -> Vec<Vkey> {
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    let keys = document["keys"].as_array().into_iter().flatten();
    let texts = keys.filter_map(|key| key["verifier_key"].as_str());
    texts.filter_map(Vkey::parse).collect()
}

fn in_state((status, body): (u16, Value), state: &str) -> Result<Value, DemoError> {
    if status == 200 && body["state"] == state {
        Ok(body)
    } else {
        Err(answered(status, &body))
    }
}

fn answered(status: u16, body: &Value) -> DemoError {
    DemoError::Step(format!("the API answers {status}, {}", body["code"]))
}

fn broken(error: impl std::error::Error) -> DemoError {
    DemoError::Step(crate::http::chain(&error))
}
