//! One keep-alive HTTP/1.1 connection of one caller. Plain HTTP to this machine, and nothing else.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderMap, HeaderValue, LOCATION, SET_COOKIE};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::Url;

const PATIENCE: Duration = Duration::from_secs(30);

/// The server's 503: come back.
#[derive(Debug, thiserror::Error)]
#[error("503: come back in a moment")]
pub(crate) struct Busy;

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    headers: HeaderMap,
}

impl Reply {
    /// The answer, if it has that status.
    pub(crate) fn expect(self, status: u16) -> Result<Self> {
        if self.status == status {
            return Ok(self);
        }
        if self.status == 503 {
            return Err(Busy.into());
        }
        let text = String::from_utf8_lossy(&self.body);
        let begin: String = text.chars().take(300).collect();
        bail!("status {} and not {status}: {begin}", self.status)
    }

    pub(crate) fn location(&self) -> Option<&str> {
        self.headers.get(LOCATION)?.to_str().ok()
    }

    /// Names and values of the cookies it sets.
    pub(crate) fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.headers.get_all(SET_COOKIE).iter();
        lines.filter_map(|line| line.to_str().ok()?.split(';').next()?.split_once('='))
    }
}

/// A connection to one origin, made when it is first needed.
pub(crate) struct Connection {
    address: SocketAddr,
    host: HeaderValue,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// - `to`: its origin alone counts
    pub(crate) fn new(to: &Url) -> Result<Self> {
        let host = to.host_str().context("an address without a host")?;
        if to.scheme() != "http" {
            bail!("{to}: plain http alone");
        }
        let port = to.port_or_known_default().unwrap_or(80);
        let mut found = (host.trim_matches(['[', ']']), port).to_socket_addrs()?;
        // Both families may be listed; ours and the peer listen on the first.
        let address = found
            .find(|address| address.ip().is_loopback() && address.is_ipv4())
            .with_context(|| format!("{to} is another machine's"))?;
        Ok(Self {
            address,
            host: HeaderValue::from_str(&format!("{host}:{port}"))?,
            sender: None,
        })
    }

    /// The next request has a new connection: after a failure.
    pub(crate) fn drop_connection(&mut self) {
        self.sender = None;
    }

    pub(crate) async fn get(&mut self, to: &Url, headers: &[(&str, &str)]) -> Result<Reply> {
        self.send(Method::GET, to, headers, Bytes::new()).await
    }

    pub(crate) async fn post(
        &mut self,
        to: &Url,
        headers: &[(&str, &str)],
        form: String,
    ) -> Result<Reply> {
        self.send(Method::POST, to, headers, Bytes::from(form))
            .await
    }

    async fn send(
        &mut self,
        method: Method,
        to: &Url,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Reply> {
        let mut request = Request::builder()
            .method(method)
            .uri(&to[url::Position::BeforePath..url::Position::AfterQuery])
            .header(HOST, &self.host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body))?;
        let sender = self.ready().await?;
        let exchange = async {
            let mut response = sender.send_request(request).await?;
            let (status, headers) = (
                response.status().as_u16(),
                std::mem::take(response.headers_mut()),
            );
            let body = response.into_body().collect().await?.to_bytes();
            anyhow::Ok(Reply {
                status,
                body,
                headers,
            })
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .context("no answer in 30 s")?
    }

    async fn ready(&mut self) -> Result<&mut SendRequest<Full<Bytes>>> {
        let is_usable = match &mut self.sender {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        if !is_usable {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await?;
            tokio::spawn(async move {
                // Its end is seen by the next request.
                let _ = connection.await;
            });
            self.sender = Some(sender);
        }
        self.sender.as_mut().context("no connection")
    }
}
