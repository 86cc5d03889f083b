//! Where a request comes from: its network and what its sender calls itself.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::header::USER_AGENT;
use http::request::Parts;

/// Longest user agent that is looked at, in bytes.
const MAX_AGENT_BYTES: usize = 512;

/// The other end of a request's connection. Behind a proxy that is the proxy.
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
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let agent = parts.headers.get(USER_AGENT);
        let agent = agent
            .and_then(|agent| agent.to_str().ok())
            .unwrap_or_default();
        Ok(Self {
            network: peer.map_or_else(|| "unknown".to_owned(), |ConnectInfo(at)| network(at.ip())),
            // `to_str` gives visible ASCII, so any index is a boundary.
            user_agent: agent[..agent.len().min(MAX_AGENT_BYTES)].to_owned(),
        })
    }
}

fn network(ip: IpAddr) -> String {
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
    use super::network;

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
