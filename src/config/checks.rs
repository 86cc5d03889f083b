//! What must hold between settings. Each broken rule is one problem.

use std::net::SocketAddr;

use secrecy::ExposeSecret as _;
use url::Url;

use super::error::Problem;
use super::mail::{MailDelivery, MailTls};
use super::model::Config;
use super::value;

/// All problems between settings; none: the configuration is sound.
pub(super) fn between_settings(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    if config.session.idle > config.session.absolute {
        problems.push(Problem::new(
            "session.idle",
            "must not be longer than session.absolute: the session would end first",
        ));
    }
    if !config.issuer.is_https() {
        problems.extend(plain_http(config));
    }
    problems.extend(own_tls(config));
    problems.extend(shared_addresses(config));
    problems.extend(mail(config));
    if let Err(e) = tracing_subscriber::EnvFilter::try_new(&config.log.filter) {
        problems.push(Problem::new("log.filter", e.to_string()));
    }
    if let Some(url) = &config.database.url
        && let Err(message) = database_url(url.expose_secret())
    {
        problems.push(Problem::new("database.url_file or DATABASE_URL", message));
    }
    problems
}

/// An http issuer is for one machine: nobody else may reach it (attacks CFG-01).
fn plain_http(config: &Config) -> Vec<Problem> {
    faces(config)
        .into_iter()
        .flat_map(|(key, addresses)| addresses.iter().map(move |a| (key, a)))
        .filter(|(_, address)| !address.ip().is_loopback())
        .map(|(key, address)| {
            Problem::new(
                key,
                format!(
                    "{address} is reachable from other machines while the issuer is http: give \
                     the issuer an https address, or listen on 127.0.0.1 and [::1]"
                ),
            )
        })
        .collect()
}

/// TLS has both its files, and where it has none, others come through a declared proxy (HTTP-11).
fn own_tls(config: &Config) -> Vec<Problem> {
    let tls = &config.tls;
    match (&tls.cert_file, &tls.key_file) {
        (Some(_), None) => vec![Problem::new("tls.key_file", "tls.cert_file needs its key")],
        (None, Some(_)) => vec![Problem::new(
            "tls.cert_file",
            "tls.key_file needs its chain",
        )],
        (Some(_), Some(_)) if !config.issuer.is_https() => {
            vec![Problem::new(
                "tls",
                "with TLS the issuer is an https address",
            )]
        }
        (None, None) if config.issuer.is_https() && config.proxy.trusted.is_empty() => faces(
            config,
        )
        .into_iter()
        .filter(|(key, _)| *key != "listen.operations")
        .flat_map(|(key, addresses)| addresses.iter().map(move |a| (key, a)))
        .filter(|(_, address)| !address.ip().is_loopback())
        .map(|(key, address)| {
            let message = format!(
                "{address} would serve other machines by plain HTTP: name the proxy in front \
                     (proxy.trusted), or a certificate (tls.cert_file, tls.key_file)"
            );
            Problem::new(key, message)
        })
        .collect(),
        (Some(_), Some(_)) | (None, None) => Vec::new(),
    }
}

/// Nothing of a person's mail crosses a network in clear, and no secret is sent to who asks for
/// none.
fn mail(config: &Config) -> Vec<Problem> {
    let mail = &config.mail;
    if mail.delivery != MailDelivery::Smtp {
        return Vec::new();
    }
    let mut problems = Vec::new();
    if !mail.from.is_ascii() || mail.from.parse::<lettre::message::Mailbox>().is_err() {
        problems.push(Problem::new(
            "mail.from",
            "must be an address in ASCII, as in `Lanyard <no-reply@example.com>`",
        ));
    }
    let ip = mail.host.parse::<std::net::IpAddr>();
    let is_here = ip.map_or(mail.host == "localhost", |ip| ip.is_loopback());
    if mail.tls == MailTls::None && !is_here {
        problems.push(Problem::new(
            "mail.tls",
            "must be starttls or implicit: the relay is on another machine",
        ));
    }
    if mail.user.is_empty() != mail.password.is_none() {
        problems.push(Problem::new(
            "mail.user",
            "and mail.password_file go together: give both or neither",
        ));
    }
    problems
}

/// Two faces never share an address; port 0 means one that the system picks.
fn shared_addresses(config: &Config) -> Vec<Problem> {
    let mut seen: Vec<(&str, &SocketAddr)> = Vec::new();
    let mut problems = Vec::new();
    for (key, addresses) in faces(config) {
        for address in addresses.iter().filter(|a| a.port() != 0) {
            if let Some((other, _)) = seen.iter().find(|(_, a)| *a == address) {
                problems.push(Problem::new(key, format!("{address} is taken by {other}")));
            }
            seen.push((key, address));
        }
    }
    problems
}

fn faces(config: &Config) -> [(&'static str, &[SocketAddr]); 6] {
    [
        ("listen.issuer", &config.listen.issuer),
        ("listen.operations", &config.listen.operations),
        ("apps.patient.listen", &config.apps.patient.listen),
        ("apps.clinician.listen", &config.apps.clinician.listen),
        ("apps.console.listen", &config.apps.console.listen),
        ("apps.platform.listen", &config.apps.platform.listen),
    ]
}

/// Over a network only a verified certificate will do (attacks CFG-06); a socket or this
/// machine's own loopback needs none. The URL is never repeated: it may hold a password.
fn database_url(text: &str) -> Result<(), String> {
    let url = Url::parse(text).map_err(|_| "is no URL of PostgreSQL".to_owned())?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err("must begin with postgres://".to_owned());
    }
    let parameter = |name: &str| {
        url.query_pairs()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.into_owned())
    };
    let by_socket = parameter("host").is_some_and(|h| h.starts_with('/'))
        || url.host_str().is_some_and(|h| h.starts_with("%2F"));
    let overridden = parameter("host").or_else(|| parameter("hostaddr"));
    let local = by_socket || (overridden.is_none() && is_this_machine(&url));
    let verified = parameter("sslmode").is_some_and(|mode| mode == "verify-full");
    if local || verified {
        Ok(())
    } else {
        Err("must have sslmode=verify-full: the server is reached over a network".to_owned())
    }
}

fn is_this_machine(url: &Url) -> bool {
    // The scheme is not special to the URL standard, so its host is not parsed as an address.
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    match host.parse::<std::net::IpAddr>() {
        Ok(ip) => ip.is_loopback(),
        Err(_) => host.is_empty() || value::is_loopback(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CFG-06: no mail in clear over a network.
    #[test]
    fn a_relay_on_another_machine_needs_tls() {
        let with = |host: &str, tls, from: &str, user: &str| {
            let mut config = Config::default();
            config.mail.delivery = MailDelivery::Smtp;
            config.mail.host = host.to_owned();
            config.mail.tls = tls;
            config.mail.from = from.to_owned();
            config.mail.user = user.to_owned();
            mail(&config).len()
        };
        let from = "Lanyard <no-reply@example.com>";
        assert_eq!(with("localhost", MailTls::None, from, ""), 0);
        assert_eq!(with("127.0.0.1", MailTls::None, from, ""), 0);
        assert_eq!(with("mail.example.com", MailTls::Starttls, from, ""), 0);
        assert_eq!(with("mail.example.com", MailTls::None, from, ""), 1);
        assert_eq!(with("10.0.0.1", MailTls::None, from, ""), 1);
        assert_eq!(with("localhost", MailTls::None, "Lanyard", ""), 1);
        assert_eq!(with("localhost", MailTls::None, from, "lanyard"), 1);
    }

    /// CFG-06: no downgrade on the way to the database.
    #[test]
    fn a_database_over_a_network_needs_a_verified_certificate() {
        for good in [
            "postgres://u:p@db.example.com/lanyard?sslmode=verify-full",
            "postgres://u@localhost/lanyard",
            "postgres://u@127.0.0.1:5433/lanyard",
            "postgres://u@[::1]/lanyard",
            "postgres://u@localhost/lanyard?host=/run/postgresql",
            "postgres://u@%2Frun%2Fpostgresql/lanyard",
        ] {
            assert_eq!(database_url(good), Ok(()), "{good}");
        }
        for bad in [
            "postgres://u:p@db.example.com/lanyard",
            "postgres://u:p@db.example.com/lanyard?sslmode=prefer",
            "postgres://u:p@db.example.com/lanyard?sslmode=require",
            "postgres://u@localhost/lanyard?host=db.example.com",
            "postgres://u@localhost/lanyard?hostaddr=10.0.0.1",
            "mysql://localhost/lanyard",
            "db.example.com",
        ] {
            assert!(database_url(bad).is_err(), "{bad}");
        }
    }
}
