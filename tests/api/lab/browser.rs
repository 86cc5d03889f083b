//! A browser without a screen: a cookie jar, forms as a person would send them, and answers that
//! say what they should be.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, Once};

use reqwest::header::{HOST, HeaderMap, LOCATION, SET_COOKIE, USER_AGENT};
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};

/// What an ordinary browser calls itself.
pub(crate) const FIREFOX: &str =
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

/// Cookies of one person's browser. Kept by host and name, as browsers do: ports share them.
/// `Secure` ones are kept over plain HTTP on `localhost` and below.
type Jar = BTreeMap<(String, String), String>;

/// One browser. Clones are tabs of the same one.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    client: Client,
    home: Url,
    at: SocketAddr,
    agent: String,
    jar: Arc<Mutex<Jar>>,
}

impl Browser {
    /// - `home`: the origin that bare paths belong to, served at `at`
    /// - `own`: the browser's own address, in 127.0.0.0/8
    pub(crate) fn new(home: &str, at: SocketAddr, own: IpAddr) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // Another module may have been first: the same one then.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .local_address(own)
            .no_proxy()
            .build()
            .unwrap();
        Self {
            client,
            home: home.parse().unwrap(),
            at,
            agent: FIREFOX.to_owned(),
            jar: Arc::default(),
        }
    }

    /// The same browser as another make.
    pub(crate) fn calling_itself(mut self, agent: &str) -> Self {
        agent.clone_into(&mut self.agent);
        self
    }

    /// The same cookies, talking to another node of the same deployment.
    pub(crate) fn through(mut self, node: SocketAddr) -> Self {
        self.at = node;
        self
    }

    /// A request with this browser's cookies, not sent yet. A bare path is of the home origin;
    /// any `*.localhost` is reached at its port on the loopback.
    pub(crate) fn request(&self, method: Method, to: &str) -> RequestBuilder {
        let url = self.home.join(to).unwrap();
        self.request_naming(&authority(&url), method, to)
    }

    /// The same, under a `Host` of the caller's choice.
    pub(crate) fn request_naming(&self, host: &str, method: Method, to: &str) -> RequestBuilder {
        let url = self.home.join(to).unwrap();
        let mut reached = url.clone();
        let at = if url.origin() == self.home.origin() {
            self.at
        } else {
            SocketAddr::from((Ipv4Addr::LOCALHOST, url.port_or_known_default().unwrap()))
        };
        reached.set_ip_host(at.ip()).unwrap();
        reached.set_port(Some(at.port())).unwrap();
        let mut request = self
            .client
            .request(method, reached)
            .header(HOST, host)
            .header(USER_AGENT, &self.agent);
        let cookies = self.cookie_header(&url);
        if !cookies.is_empty() {
            request = request.header("cookie", cookies);
        }
        request
    }

    /// Sends a request made by [`Browser::request`] to `to` and keeps the cookies it brings.
    pub(crate) async fn send(&self, to: &str, request: RequestBuilder) -> Answer {
        let response = request.send().await.expect("the server answers");
        let url = self.home.join(to).unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        self.keep(&url, &headers);
        let body = response.text().await.unwrap();
        Answer {
            url,
            status,
            headers,
            body,
        }
    }

    /// Follows a link, or types an address.
    pub(crate) async fn get(&self, to: &str) -> Answer {
        self.send(
            to,
            self.request(Method::GET, to)
                .header("sec-fetch-site", "same-origin"),
        )
        .await
    }

    /// Sends a form from a page of the same origin. `Origin: null` is what browsers send from a
    /// page with `Referrer-Policy: no-referrer`.
    pub(crate) async fn post(&self, to: &str, fields: &[(&str, &str)]) -> Answer {
        let request = self
            .request(Method::POST, to)
            .header("sec-fetch-site", "same-origin")
            .header("origin", "null")
            .form(fields);
        self.send(to, request).await
    }

    /// Fills in the form with that id on a page and sends it, hidden fields and all.
    pub(crate) async fn submit(
        &self,
        page: &Answer,
        form: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let (action, hidden) = page.form(form);
        let all: Vec<(&str, &str)> = hidden
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .chain(fields.iter().copied())
            .collect();
        let to = page.url.join(&action).unwrap();
        self.post(to.as_str(), &all).await
    }

    /// Follows redirects as long as they stay on the home origin, ten at most.
    pub(crate) async fn follow(&self, mut answer: Answer) -> Answer {
        for _ in 0..10 {
            let Some(to) = answer.location() else {
                return answer;
            };
            if to.origin() != self.home.origin() {
                return answer;
            }
            answer = self.get(to.as_str()).await;
        }
        panic!("more than ten redirects, the last to {}", answer.url)
    }

    /// Goes to an address and follows redirects.
    pub(crate) async fn visit(&self, to: &str) -> Answer {
        let answer = self.get(to).await;
        self.follow(answer).await
    }

    /// Fills in the two pages of a sign-in that waits at `page`, the first of them. Gives what
    /// the second one's post is answered with: a redirect onward if all is right.
    pub(crate) async fn sign_in_at(&self, page: Answer, login: &str, password: &str) -> Answer {
        let first = page.page("Sign in to continue");
        let sent = self
            .submit(&first, "identifier-form", &[("login", login)])
            .await;
        sent.goes_to("/sign-in/password");
        let second = self.follow(sent).await.page("Enter your password");
        self.submit(&second, "password-form", &[("password", password)])
            .await
    }

    /// Signs in for the account page; gives the answer to the password.
    pub(crate) async fn sign_in(&self, login: &str, password: &str) -> Answer {
        let page = self.visit("/account").await;
        self.sign_in_at(page, login, password).await
    }

    /// The value of a cookie of the home origin.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let host = self.home.host_str().unwrap().to_owned();
        self.jar
            .lock()
            .unwrap()
            .get(&(host, name.to_owned()))
            .cloned()
    }

    /// Plants or replaces a cookie of the home origin; `None` deletes it.
    pub(crate) fn set_cookie(&self, name: &str, value: Option<&str>) {
        let key = (self.home.host_str().unwrap().to_owned(), name.to_owned());
        let mut jar = self.jar.lock().unwrap();
        match value {
            Some(value) => jar.insert(key, value.to_owned()),
            None => jar.remove(&key),
        };
    }

    fn cookie_header(&self, url: &Url) -> String {
        let jar = self.jar.lock().unwrap();
        let own = jar
            .iter()
            .filter(|((host, _), _)| Some(host.as_str()) == url.host_str());
        own.map(|((_, name), value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("; ")
    }

    fn keep(&self, url: &Url, headers: &HeaderMap) {
        let mut jar = self.jar.lock().unwrap();
        for line in headers.get_all(SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = pair.split_once('=').unwrap();
            let key = (url.host_str().unwrap().to_owned(), name.trim().to_owned());
            let is_removal = attributes.to_ascii_lowercase().contains("max-age=0");
            if is_removal {
                jar.remove(&key);
            } else {
                jar.insert(key, value.trim().to_owned());
            }
        }
    }
}

fn authority(url: &Url) -> String {
    match url.port() {
        Some(port) => format!("{}:{port}", url.host_str().unwrap()),
        None => url.host_str().unwrap().to_owned(),
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Of the request.
    pub(crate) url: Url,
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// The whole body.
    pub(crate) body: String,
}

impl Answer {
    /// The page that says this sentence as its `h1`, with 200.
    #[track_caller]
    pub(crate) fn page(self, sentence: &str) -> Self {
        self.shows(200, sentence)
    }

    /// The page that says this sentence, with this status.
    #[track_caller]
    pub(crate) fn shows(self, status: u16, sentence: &str) -> Self {
        let seen = (self.status.as_u16(), self.sentence());
        assert_eq!(seen, (status, sentence), "{}\n{}", self.url, self.body);
        self
    }

    /// The `h1`, or nothing.
    pub(crate) fn sentence(&self) -> &str {
        let after = self
            .body
            .split_once("<h1")
            .and_then(|(_, rest)| rest.split_once('>'));
        after
            .and_then(|(_, rest)| rest.split_once("</h1>"))
            .map_or("", |(h1, _)| h1)
    }

    /// A 303 on the same origin to a path that begins like this; gives the path with its query.
    #[track_caller]
    pub(crate) fn goes_to(&self, path: &str) -> String {
        assert_eq!(
            self.status,
            StatusCode::SEE_OTHER,
            "{}\n{}",
            self.url,
            self.body
        );
        let to = self.location().unwrap();
        assert_eq!(to.origin(), self.url.origin(), "{to}");
        assert_eq!(to.path(), path, "{to}");
        to[url::Position::BeforePath..].to_owned()
    }

    /// Where it redirects to, made absolute.
    pub(crate) fn location(&self) -> Option<Url> {
        if !self.status.is_redirection() {
            return None;
        }
        let to = self.headers.get(LOCATION)?.to_str().unwrap();
        Some(self.url.join(to).unwrap())
    }

    /// One header's value, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The `Set-Cookie` line of one cookie.
    pub(crate) fn cookie_line(&self, name: &str) -> Option<&str> {
        let lines = self
            .headers
            .get_all(SET_COOKIE)
            .iter()
            .map(|line| line.to_str().unwrap());
        lines
            .into_iter()
            .find(|line| line.split('=').next() == Some(name))
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    /// The value of a hidden input.
    #[track_caller]
    pub(crate) fn hidden(&self, name: &str) -> String {
        let input = self
            .tags("input")
            .into_iter()
            .find(|tag| attribute(tag, "name") == Some(name));
        let value = input.and_then(|tag| attribute(tag, "value"));
        value
            .unwrap_or_else(|| panic!("no input {name}: {}", self.body))
            .to_owned()
    }

    /// Action and hidden fields of the form with that id.
    #[track_caller]
    pub(crate) fn form(&self, id: &str) -> (String, Vec<(String, String)>) {
        let mut forms = self.body.split("<form").skip(1);
        let form = forms.find(|form| attribute(form.split('>').next().unwrap(), "id") == Some(id));
        let form = form.unwrap_or_else(|| panic!("no form {id}: {}", self.body));
        let form = form.split("</form>").next().unwrap();
        let action = attribute(form.split('>').next().unwrap(), "action")
            .unwrap()
            .to_owned();
        let hidden = tags_of(form, "input")
            .into_iter()
            .filter(|tag| attribute(tag, "type") == Some("hidden"))
            .map(|tag| {
                let of = |name| attribute(tag, name).unwrap_or_default().to_owned();
                (of("name"), of("value"))
            })
            .collect();
        (action, hidden)
    }

    fn tags(&self, name: &str) -> Vec<&str> {
        tags_of(&self.body, name)
    }
}

fn tags_of<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let open = format!("<{name} ");
    let starts = html
        .match_indices(&open)
        .map(|(at, _)| at)
        .collect::<Vec<_>>();
    starts
        .into_iter()
        .map(|at| html[at..].split('>').next().unwrap())
        .collect()
}

/// An attribute of a tag as our own templates write it: in double quotes, nothing escaped that
/// tests look at.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}
