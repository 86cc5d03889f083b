//! Sending messages over one stream (RFC 5425, RFC 6587 §3.4.1).
//!
//! Syslog has no word of the receiver's that it has something. So each batch is a connection of its
//! own, and the receiver is taken to have it when it ends its side after ours: what it did not read
//! would be answered by a reset. Who needs more certainty than that posts by HTTPS.

use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::model::{Address, Failed};
use crate::audit::format::Line;
use crate::audit::siem::{framed, syslog};

/// A receiver that has not ended its side by then has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends these lines as messages.
///
/// - `hostname`: what we call ourselves in them
pub(super) async fn send(
    address: &Address,
    authority: Option<&str>,
    hostname: &str,
    lines: &[String],
) -> Result<(), Failed> {
    let messages = lines.iter().map(|line| {
        let read = Line::parse(line)?;
        Some(framed(&syslog(hostname, &read, line)))
    });
    // None is left out: a line that this build can't read waits for one that can.
    let messages: String = messages.collect::<Option<_>>().ok_or(Failed::Unusable)?;
    let sent = timeout(PATIENCE, deliver(address, authority, messages.as_bytes())).await;
    sent.map_err(|_| Failed::Silent)?
}

async fn deliver(
    address: &Address,
    authority: Option<&str>,
    messages: &[u8],
) -> Result<(), Failed> {
    let stream = TcpStream::connect((address.host(), address.port())).await;
    let stream = stream.map_err(|_| Failed::Unreachable)?;
    if !address.has_tls() {
        return exchange(stream, messages).await;
    }
    let name = ServerName::try_from(address.host().to_owned()).map_err(|_| Failed::Tls)?;
    let connector = TlsConnector::from(Arc::new(config(authority)?));
    let stream = connector.connect(name, stream).await;
    exchange(stream.map_err(|_| Failed::Tls)?, messages).await
}

fn config(authority: Option<&str>) -> Result<ClientConfig, Failed> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Failed::Unusable)?;
    let Some(pem) = authority else {
        let builder = builder.with_platform_verifier();
        return Ok(builder.map_err(|_| Failed::Unusable)?.with_no_client_auth());
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| Failed::Unusable)?;
        roots.add(certificate).map_err(|_| Failed::Unusable)?;
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    messages: &[u8],
) -> Result<(), Failed> {
    let (mut from, mut to) = tokio::io::split(stream);
    let written = async {
        to.write_all(messages).await?;
        to.flush().await
    };
    tokio::select! {
        biased;
        // Whoever ends before we do has not heard all.
        _ = ended(&mut from) => return Err(Failed::CutOff),
        written = written => written.map_err(|_| Failed::CutOff)?,
    }
    to.shutdown().await.map_err(|_| Failed::CutOff)?;
    ended(&mut from).await.map_err(|_| Failed::CutOff)
}

/// Until the receiver has ended its side.
async fn ended(from: &mut (impl AsyncRead + Unpin)) -> Result<(), Error> {
    let mut said = [0; 256];
    loop {
        match from.read(&mut said).await {
            Ok(0) => return Ok(()),
            // Nothing is said to a sender; whatever it is, it is no end.
            Ok(_) => {}
            // It ended the connection without ending TLS, after we had.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
