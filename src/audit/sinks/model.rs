//! What a sink is, and what can go wrong with it. No I/O.

use std::fmt;
use std::net::IpAddr;

use secrecy::SecretString;
use time::OffsetDateTime;
use url::Url;
use uuid::Uuid;

use crate::ids::TenantId;

/// A sink's id.
pub type SinkId = Uuid;

/// How a receiver is spoken with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Batches are posted (RFC 9110).
    Https,
    /// Messages of RFC 5424 over one stream, each after its length (RFC 5425 §4.3).
    Syslog,
}

impl Kind {
    /// The stored form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Syslog => "syslog",
        }
    }
}

/// In whose words entries are posted. A syslog message holds the line as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The log's lines, one after the other (NDJSON).
    Line,
    /// An array of OCSF events.
    Ocsf,
}

impl Form {
    /// The stored form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Ocsf => "ocsf",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let all = [Self::Line, Self::Ocsf];
        all.into_iter().find(|form| form.as_str() == text)
    }
}

/// Where a receiver is. What leaves the machine is encrypted: without TLS it is on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Url);

/// The operator's: no address of a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No URL, or of another scheme.
    #[error("write https://host/path, or tls://host:port for syslog")]
    Malformed,
    /// A name and password, a query or a fragment: they would be kept and shown in clear.
    #[error("an address holds no password, query or fragment: they would be shown in lists")]
    Telling,
    /// Entries would leave the machine in clear.
    #[error("without TLS the receiver must be on this machine")]
    Clear,
}

impl Address {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(text).map_err(|_| AddressError::Malformed)?;
        let address = Self(url);
        if address.host().is_empty() || text.len() > 2000 || address.is_encrypted().is_none() {
            return Err(AddressError::Malformed);
        }
        let url = &address.0;
        let tells = !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some();
        if tells {
            return Err(AddressError::Telling);
        }
        if address.kind() == Kind::Syslog && !["", "/"].contains(&url.path()) {
            return Err(AddressError::Malformed);
        }
        if address.is_encrypted() == Some(false) && !address.is_of_this_machine() {
            return Err(AddressError::Clear);
        }
        Ok(address)
    }

    fn is_encrypted(&self) -> Option<bool> {
        match self.0.scheme() {
            "https" | "tls" => Some(true),
            "http" | "tcp" => Some(false),
            _ => None,
        }
    }

    fn is_of_this_machine(&self) -> bool {
        let ip = self.host().parse::<IpAddr>();
        ip.map_or(self.host() == "localhost", |ip| ip.is_loopback())
    }

    /// Whether TLS is spoken there.
    pub fn has_tls(&self) -> bool {
        self.is_encrypted() == Some(true)
    }

    /// How it is spoken with.
    pub fn kind(&self) -> Kind {
        match self.0.scheme() {
            "tls" | "tcp" => Kind::Syslog,
            _ => Kind::Https,
        }
    }

    /// The host's name or address, as it is connected to.
    pub fn host(&self) -> &str {
        let host = self.0.host_str().unwrap_or_default();
        let inside = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        inside.unwrap_or(host)
    }

    /// The port: 6514 for syslog over TLS (RFC 5425 §4.1), 601 without (RFC 3195 §9.2).
    pub fn port(&self) -> u16 {
        let usual = if self.has_tls() { 6514 } else { 601 };
        self.0.port_or_known_default().unwrap_or(usual)
    }

    /// To post to.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// A sink to be added.
#[derive(Debug)]
pub struct NewSink {
    /// Whose log it is sent.
    pub tenant: TenantId,
    /// Where it goes.
    pub address: Address,
    /// In whose words.
    pub form: Form,
    /// Certificates in PEM, of which one must have signed the receiver's; `None`: as the system
    /// believes.
    pub authority: Option<String>,
    /// What the receiver knows us by: a bearer token (RFC 6750 §2.1).
    pub secret: Option<SecretString>,
    /// The first entry it is sent; `None`: what comes from now on.
    pub from: Option<u64>,
}

/// A sink, as it stands.
#[derive(Clone, Debug)]
pub struct Sink {
    /// Its id.
    pub id: SinkId,
    /// Whose log it is sent.
    pub tenant: TenantId,
    /// Where it goes.
    pub address: Address,
    /// In whose words.
    pub form: Form,
    /// The first entry that the receiver does not have.
    pub next_index: i64,
    /// Entries of the log that it does not have.
    pub behind: i64,
    /// Tries that failed one after the other.
    pub failures: i32,
    /// Why the last one did; [`Failed`] says it in words.
    pub failure: Option<String>,
    /// Since when.
    pub failing_since: Option<OffsetDateTime>,
    /// When it was last sent something that it took.
    pub sent_at: Option<OffsetDateTime>,
}

/// Why a receiver does not have what was sent. No word of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// No connection.
    #[error("unreachable")]
    Unreachable,
    /// No TLS, or not with a certificate that is believed.
    #[error("no_tls")]
    Tls,
    /// No answer in time.
    #[error("silent")]
    Silent,
    /// It ended the connection before it had all.
    #[error("cut_off")]
    CutOff,
    /// It said no, with this status.
    #[error("refused_{0}")]
    Refused(u16),
    /// Ours: the log lacks the entry that is next: archived and dropped, or taken out.
    #[error("entry_is_gone")]
    Gone,
    /// Ours: the secret or a certificate can't be used.
    #[error("unusable")]
    Unusable,
}

#[cfg(test)]
mod tests {
    use super::{Address, AddressError, Kind};

    #[test]
    fn what_leaves_the_machine_is_encrypted_and_tells_nothing() {
        for (text, kind, host, port) in [
            ("https://siem.example/in", Kind::Https, "siem.example", 443),
            ("https://[2001:db8::1]:9/x", Kind::Https, "2001:db8::1", 9),
            ("http://127.0.0.1:8088/in", Kind::Https, "127.0.0.1", 8088),
            ("http://localhost/", Kind::Https, "localhost", 80),
            ("tls://logs.example", Kind::Syslog, "logs.example", 6514),
            ("tcp://[::1]:1514", Kind::Syslog, "::1", 1514),
            ("tcp://127.0.0.1", Kind::Syslog, "127.0.0.1", 601),
        ] {
            let address = Address::parse(text).expect(text);
            assert_eq!(address.kind(), kind, "{text}");
            assert_eq!((address.host(), address.port()), (host, port), "{text}");
        }
        for (text, why) in [
            ("siem.example", AddressError::Malformed),
            ("udp://127.0.0.1", AddressError::Malformed),
            ("tls://logs.example/path", AddressError::Malformed),
            ("file:///etc/passwd", AddressError::Malformed),
            ("https://a:b@siem.example/", AddressError::Telling),
            ("https://siem.example/?token=x", AddressError::Telling),
            ("https://siem.example/#x", AddressError::Telling),
            ("http://siem.example/", AddressError::Clear),
            ("tcp://10.0.0.7:601", AddressError::Clear),
            ("http://localhost.example/", AddressError::Clear),
        ] {
            assert_eq!(Address::parse(text), Err(why), "{text}");
        }
    }
}
