//! Where a request comes from: its network and what its sender calls itself.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::USER_AGENT;
use http::request::Parts;

use crate::config::Proxy;

/// Longest user agent that is looked at, in bytes.
const MAX_AGENT_BYTES: usize = 512;

/// The one header that a proxy of ours says a client's address in.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// A longer way is nobody's of ours.
const MOST_HOPS: usize = 16;

/// Whose request it is, by address: put beside it by the serving loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The client behind a connection from `peer` (HTTP-08).
///
/// Read from the right: what a trusted proxy wrote is believed, and the first address that is no
/// proxy's is the client. Everything left of it, and anything from a peer that is no proxy, may be
/// made up. What is no address ends the reading: the last one believed stands.
pub fn client_of(peer: IpAddr, headers: &HeaderMap, proxy: &Proxy) -> ClientAddress {
    let mut client = peer.to_canonical();
    if !proxy.is_trusted(client) {
        return ClientAddress(client);
    }
    let lines: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .map(|line| line.to_str().unwrap_or("?"))
        .collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    for hop in hops.take(MOST_HOPS) {
        let Some(ip) = address(hop.trim()) else {
            break;
        };
        client = ip;
        if !proxy.is_trusted(ip) {
            break;
        }
    }
    ClientAddress(client)
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let with_port = || text.parse::<SocketAddr>().ok().map(|at| at.ip());
    let ip = bare.parse().ok().or_else(with_port);
    ip.map(|ip: IpAddr| ip.to_canonical())
}

/// Where a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// An IPv4 address, or the /64 of an IPv6 one, which one subscriber has whole.
    pub network: String,
    /// What it calls itself; may be empty.
    pub user_agent: String,
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let client = parts.extensions.get::<ClientAddress>();
        let agent = parts.headers.get(USER_AGENT);
        let agent = agent
            .and_then(|agent| agent.to_str().ok())
            .unwrap_or_default();
        Ok(Self {
            network: client.map_or_else(|| "unknown".to_owned(), |ClientAddress(ip)| network(*ip)),
            // `to_str` gives visible ASCII, so any index is a boundary.
            user_agent: agent[..agent.len().min(MAX_AGENT_BYTES)].to_owned(),
        })
    }
}

/// An IPv4 address, or the /64 of an IPv6 one, which one subscriber has whole.
pub fn network(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let half = u128::from(ip) >> 64 << 64;
            format!("{}/64", Ipv6Addr::from(half))
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{ClientAddress, FORWARDED_FOR, client_of, network};
    use crate::config::Proxy;

    fn client(peer: &str, lines: &[&'static str]) -> String {
        let proxy = Proxy {
            trusted: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
        };
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
        }
        let ClientAddress(ip) = client_of(peer.parse().unwrap(), &headers, &proxy);
        ip.to_string()
    }

    /// HTTP-08: the right-most address that no proxy of ours has; nobody else is believed.
    #[test]
    fn the_client_is_the_last_hop_that_is_no_proxy_of_ours() {
        let cases: &[(&str, &[&'static str], &str)] = &[
            ("192.0.2.1", &[], "192.0.2.1"),
            ("192.0.2.1", &["198.51.100.1"], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("fd00::1", &["2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.9", "198.51.100.1"], "198.51.100.1"),
            (
                "10.0.0.1",
                &["203.0.113.9, 198.51.100.1, 10.9.9.9"],
                "198.51.100.1",
            ),
            ("10.0.0.1", &["10.1.1.1,10.2.2.2"], "10.1.1.1"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", &["203.0.113.9, unknown, 10.9.9.9"], "10.9.9.9"),
            ("10.0.0.1", &["203.0.113.9, _x"], "10.0.0.1"),
            ("10.0.0.1", &["evil.test"], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
        ];
        for (peer, lines, expected) in cases {
            assert_eq!(client(peer, lines), *expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn an_ipv6_network_is_its_first_half_and_a_mapped_address_is_itself() {
        let cases = [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ];
        for (ip, expected) in cases {
            assert_eq!(network(ip.parse().expect("an address")), expected);
        }
    }
}
