//! At which addresses a receiver may be told: public ones, and those that the operator names.
//!
//! Whoever manages a stream says where it is told, and the issuer stands where much can be reached
//! that its receivers should not: the database's network, a cloud's metadata, this machine itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::config::Config;

/// What is looked up before each connection, so that a name which means something else by then is
/// judged by that.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Not public, and may be told all the same.
    named: Vec<IpNet>,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> IpNet {
    IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix)
}

const fn v6(first: u16, second: u16, prefix: u8) -> IpNet {
    let ip = Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0);
    IpNet::new_assert(IpAddr::V6(ip), prefix)
}

const LOOPBACK: [IpNet; 2] = [
    v4(127, 0, 0, 0, 8),
    IpNet::new_assert(IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
];

/// What of IPv4 is no public host's (the IANA's registry of special-purpose addresses, RFC 6890;
/// multicast, RFC 5771).
const SPECIAL_V4: [IpNet; 15] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
];

/// All that is public of IPv6 is within this (RFC 4291 §2.4) …
const PUBLIC_V6: IpNet = v6(0x2000, 0, 3);
/// … but for these: protocol assignments with Teredo, documentation, 6to4.
const SPECIAL_V6: [IpNet; 4] = [
    v6(0x2001, 0, 23),
    v6(0x2001, 0xdb8, 32),
    v6(0x2002, 0, 16),
    v6(0x3fff, 0, 20),
];
/// An IPv4 address behind a translator (RFC 6052 §2.1).
const TRANSLATED: IpNet = v6(0x64, 0xff9b, 96);

impl Reach {
    /// What is configured; beside an issuer that is itself reached by plain `http`, as on a
    /// developer's machine, that machine too.
    pub fn of(config: &Config) -> Self {
        let mut named = config.receivers.networks.clone();
        if !config.issuer.is_https() {
            named.extend(LOOPBACK);
        }
        Self { named }
    }

    /// Whether a receiver may be told there, as far as the address says: a name is looked up when
    /// it is told.
    pub fn allows(&self, url: &Url) -> bool {
        match url.host() {
            Some(Host::Ipv4(ip)) => self.has(ip.into()),
            Some(Host::Ipv6(ip)) => self.has(ip.into()),
            Some(Host::Domain(_)) => true,
            None => false,
        }
    }

    fn has(&self, ip: IpAddr) -> bool {
        let ip = meant(ip);
        is_public(ip) || self.named.iter().any(|network| network.contains(&ip))
    }
}

/// An IPv4 address that is written as one of IPv6 is that one.
fn meant(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(long) if TRANSLATED.contains(&ip) => {
            let [.., a, b, c, d] = long.octets();
            Ipv4Addr::new(a, b, c, d).into()
        }
        ip => ip,
    }
}

fn is_public(ip: IpAddr) -> bool {
    let is_within = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&ip));
    match ip {
        IpAddr::V4(_) => !is_within(&SPECIAL_V4),
        IpAddr::V6(_) => PUBLIC_V6.contains(&ip) && !is_within(&SPECIAL_V6),
    }
}

/// By the machine's own resolver; what may not be told is left out.
impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found.filter(|address| reach.has(address.ip())).collect();
            if allowed.is_empty() {
                return Err("no address of it may be told".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(host: &str) -> Url {
        format!("https://{host}/sets").parse().unwrap()
    }

    /// However it is written, what is no public address is not told.
    #[test]
    fn public_addresses_alone_are_told() {
        let reach = Reach::default();
        for host in [
            "receiver.example",
            "9.9.9.9",
            "172.32.0.1",
            "100.128.0.1",
            "[2620:fe::fe]",
            "[64:ff9b::9.9.9.9]",
        ] {
            assert!(reach.allows(&url(host)), "{host}");
        }
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:10.0.0.1]",
            "[64:ff9b::10.0.0.1]",
            "[fd00::1]",
            "[fe80::1]",
            "[ff02::1]",
            "[2001:db8::1]",
            "[2002:7f00:1::]",
        ] {
            assert!(!reach.allows(&url(host)), "{host}");
        }
    }

    #[test]
    fn networks_that_are_named_are_told_too() {
        let mut config = Config::default();
        config.receivers.networks = vec!["10.1.0.0/16".parse().unwrap()];
        let reach = Reach::of(&config);
        for (host, may_be_told) in [
            ("10.1.2.3", true),
            ("[::ffff:10.1.2.3]", true),
            ("10.2.0.1", false),
            ("9.9.9.9", true),
        ] {
            assert_eq!(reach.allows(&url(host)), may_be_told, "{host}");
        }
    }

    /// A name is judged by what it means when it is told.
    #[tokio::test]
    async fn a_name_of_this_machine_is_not_found() {
        let found = async |reach: &Reach| {
            let found = reach.resolve("localhost".parse().unwrap()).await;
            found.map(Iterator::count).unwrap_or_default()
        };
        assert_eq!(found(&Reach::default()).await, 0);
        let named = LOOPBACK.to_vec();
        assert!(found(&Reach { named }).await > 0);
    }
}
