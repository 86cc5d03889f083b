//! A cookie jar and the little HTML that our pages are, for requests that may be lost.

use std::collections::BTreeMap;
use std::time::Duration;

use http::header::{HOST, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, RequestBuilder, Url};
use serde_json::Value;

/// An answer that takes longer is a server that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// No answer of the server's came: nothing is known of what was done.
#[derive(Clone, Debug)]
pub(crate) struct Lost {
    /// It never came at all, within [`PATIENCE`].
    pub(crate) hung: bool,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<Url>,
    pub(crate) retry_after: bool,
    pub(crate) body: String,
    url: Url,
}

impl Answer {
    /// Whether the server said that something failed on its side or before it.
    pub(crate) const fn failed(&self) -> bool {
        self.status >= 500 || self.status == 429
    }

    pub(crate) fn has_form(&self, id: &str) -> bool {
        self.body.contains(&format!("<form id=\"{id}\""))
    }

    /// Where the form goes, and its hidden fields.
    fn form(&self, id: &str) -> (Url, Vec<(String, String)>) {
        let form = self.body.split(&format!("<form id=\"{id}\"")).nth(1);
        let form = form.unwrap_or_else(|| panic!("no {id}: {}", self.body));
        let form = form.split("</form>").next().unwrap();
        let attribute = |tag: &str, name: &str| -> String {
            let rest = tag.split(&format!(" {name}=\"")).nth(1).unwrap_or_default();
            rest.split('"').next().unwrap().to_owned()
        };
        let action = attribute(form, "action");
        let inputs = form.split("<input").skip(1);
        let hidden = inputs
            .map(|input| input.split('>').next().unwrap())
            .filter(|input| input.contains("type=\"hidden\""))
            .map(|input| (attribute(input, "name"), attribute(input, "value")))
            .collect();
        (self.url.join(&action).unwrap(), hidden)
    }
}

/// One browser of one person, or her app's back end: that one has no cookies.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    client: Client,
    issuer: Url,
    /// Where it is reached: the proxy, or one replica itself.
    port: u16,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn at(issuer: &str) -> Self {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .unwrap();
        let issuer: Url = issuer.parse().unwrap();
        Self {
            client,
            port: issuer.port().unwrap(),
            issuer,
            cookies: BTreeMap::new(),
        }
    }

    /// The same, past the proxy.
    pub(crate) const fn past_the_proxy(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    pub(crate) fn forget_everything(&mut self) {
        self.cookies.clear();
    }

    pub(crate) async fn get(&mut self, to: &str) -> Result<Answer, Lost> {
        let (url, request) = self.request(Method::GET, to);
        self.send(url, request).await
    }

    pub(crate) async fn submit(
        &mut self,
        page: &Answer,
        form: &str,
        fields: &[(&str, &str)],
    ) -> Result<Answer, Lost> {
        let (to, mut all) = page.form(form);
        let typed = fields
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        all.extend(typed);
        let (url, request) = self.request(Method::POST, to.as_str());
        self.send(url, request.header("origin", "null").form(&all))
            .await
    }

    /// A call of an app's back end: no cookies, no origin.
    pub(crate) async fn post(
        &self,
        to: &str,
        basic: Option<(&str, &str)>,
        fields: &[(&str, &str)],
    ) -> Result<Answer, Lost> {
        let mut machine = self.clone();
        machine.forget_everything();
        let (url, mut request) = machine.request(Method::POST, to);
        if let Some((id, secret)) = basic {
            request = request.basic_auth(id, Some(secret));
        }
        machine.send(url, request.form(fields)).await
    }

    /// A call of the API with an access token: JSON, no cookies, no origin.
    pub(crate) async fn call(&self, to: &str, token: &str, body: &Value) -> Result<Answer, Lost> {
        let mut machine = self.clone();
        machine.forget_everything();
        let (url, request) = machine.request(Method::POST, to);
        let request = request.bearer_auth(token).json(body);
        machine.send(url, request).await
    }

    fn request(&self, method: Method, to: &str) -> (Url, RequestBuilder) {
        let url = self.issuer.join(to).unwrap();
        let mut reached = url.clone();
        reached.set_host(Some("127.0.0.1")).unwrap();
        reached.set_port(Some(self.port)).unwrap();
        let port = url.port().unwrap();
        let mut request = self
            .client
            .request(method, reached)
            .header(HOST, format!("localhost:{port}"))
            .header(
                "user-agent",
                "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0",
            );
        if !self.cookies.is_empty() {
            let pairs = self.cookies.iter().map(|(n, v)| format!("{n}={v}"));
            let cookies: Vec<String> = pairs.collect();
            request = request
                .header("cookie", cookies.join("; "))
                .header("sec-fetch-site", "same-origin");
        }
        (url, request)
    }

    async fn send(&mut self, url: Url, request: RequestBuilder) -> Result<Answer, Lost> {
        let lost = |error: reqwest::Error| Lost {
            hung: error.is_timeout(),
        };
        let response = request.send().await.map_err(lost)?;
        for line in response.headers().get_all(SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.to_ascii_lowercase().contains("max-age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let header = response.headers().get(LOCATION);
        let location = header.map(|to| url.join(to.to_str().unwrap()).unwrap());
        let (status, retry_after) = (
            response.status().as_u16(),
            response.headers().contains_key("retry-after"),
        );
        let body = response.text().await.map_err(lost)?;
        Ok(Answer {
            status,
            location,
            retry_after,
            body,
            url,
        })
    }
}
