//! From an operator's text to a typed value, and back.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use time::Duration;
use url::{Host, Url};

/// What a duration is written with, largest first.
const UNITS: [(&str, i64); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

/// `90s`, `5m`, `12h`, `30d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration: write a number and s, m, h or d, as in 5m");
    let (unit, seconds) = UNITS
        .iter()
        .find(|(unit, _)| text.ends_with(unit))
        .ok_or_else(wrong)?;
    let number = text.strip_suffix(unit).ok_or_else(wrong)?;
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: i64 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(*seconds)
        .map(Duration::seconds)
        .ok_or_else(wrong)
}

/// The shortest way to write it.
pub(super) fn duration_text(duration: Duration) -> String {
    let seconds = duration.whole_seconds();
    // An hour and a half is 90m, a day 24h: how the defaults are spoken of.
    let (unit, length) = UNITS[1..]
        .iter()
        .find(|(_, length)| seconds != 0 && seconds % length == 0)
        .unwrap_or(&("s", 1));
    format!("{}{unit}", seconds / length)
}

/// An origin: scheme, host and port, nothing else; `http` on loopback hosts alone.
pub(super) fn origin(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| format!("`{text}` is no URL: {e}"))?;
    let bare = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !bare {
        return Err(format!(
            "`{text}` must be an origin: scheme, host and port, nothing after"
        ));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(format!(
            "`{text}` must be https: http is for loopback hosts alone"
        )),
        _ => Err(format!("`{text}` must be an https URL")),
    }
}

/// Whether the URL's host can only be this machine (RFC 6761 §6.3 for `localhost`).
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// `127.0.0.1:8080` or `[::1]:8080`: an address, not a name.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("`{text}` is no address: write IP:PORT, as in 127.0.0.1:8080 or [::1]:8080")
    })
}

/// `10.0.0.0/8`, or one address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let one = text.parse::<IpAddr>().map(IpNet::from);
    one.or_else(|_| text.parse())
        .map_err(|_| format!("`{text}` is no network: write 10.0.0.0/8, fd00::/8, or one address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_needs_its_unit() {
        assert_eq!(duration("5m"), Ok(Duration::minutes(5)));
        assert_eq!(duration("1d"), Ok(Duration::days(1)));
        for wrong in [
            "",
            "5",
            "m",
            "-5m",
            "5 m",
            "1.5h",
            "99999999999999999999d",
            "5min",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_duration_is_shown_as_it_would_be_written() {
        for text in ["5m", "60m", "45s", "12h", "24h"] {
            let shown = duration_text(duration(text).unwrap());
            assert_eq!(duration(&shown), duration(text));
        }
        assert_eq!(duration_text(Duration::days(1)), "24h");
        assert_eq!(duration_text(Duration::minutes(90)), "90m");
    }

    /// OpenID Connect Discovery §3 wants https; we except only hosts that are this machine.
    #[test]
    fn http_is_for_loopback_hosts_alone() {
        for good in [
            "http://localhost:8080",
            "http://127.0.0.1",
            "http://[::1]:1",
            "http://a.localhost",
            "https://id.example.com",
        ] {
            assert!(origin(good).is_ok(), "{good}");
        }
        for bad in [
            "http://id.example.com",
            "http://localhost.example.com",
            "ftp://localhost",
            "https://id.example.com/path",
            "https://u:p@id.example.com",
            "https://a/?q",
            "localhost",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }
}
