//! Mail that leaves the machine, to a server that speaks SMTP (RFC 5321) and keeps what it takes.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use lanyard::config::{Config, MailDelivery, MailTls};
use lanyard::mail::{self, MailError, RelayError};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use secrecy::ExposeSecret as _;
use time::Duration;

use crate::lab::Lab;
use crate::lab::world::Person;

/// What a relay took and heard.
#[derive(Debug, Default)]
struct Seen {
    messages: Vec<String>,
    commands: Vec<String>,
    /// Refuses so many messages before it takes one.
    refuses: usize,
}

/// How the relay begins to speak TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    Plain,
    Starttls,
    Implicit,
}

#[derive(Debug)]
struct Relay {
    seen: Arc<Mutex<Seen>>,
    port: u16,
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// The certificate for `localhost` that the verifier's tests have, under its own authority.
fn certificates() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/verifier/tests/verifier/tls")
}

fn tls() -> Arc<ServerConfig> {
    let read = |name: &str| std::fs::read(certificates().join(name)).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(read("localhost-key.der")));
    let chain = vec![CertificateDer::from(read("localhost.der"))];
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    Arc::new(config)
}

impl Relay {
    fn start(speaks: Speaks) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that hangs up in the middle is none of the next one's.
                let _ = converse(stream, speaks, &shared);
            }
        });
        Self { seen, port }
    }

    fn configure(&self, config: &mut Config, tls: MailTls) {
        let mail = &mut config.mail;
        mail.delivery = MailDelivery::Smtp;
        mail.host = "localhost".to_owned();
        mail.port = self.port.into();
        mail.tls = tls;
        mail.ca_file = Some(certificates().join("ca.pem"));
    }

    fn messages(&self) -> Vec<String> {
        self.seen.lock().unwrap().messages.clone()
    }

    fn heard(&self, command: &str) -> bool {
        let seen = self.seen.lock().unwrap();
        seen.commands.iter().any(|line| line.starts_with(command))
    }
}

fn secured(stream: Box<dyn Stream>) -> Box<dyn Stream> {
    let connection = ServerConnection::new(tls()).unwrap();
    Box::new(StreamOwned::new(connection, stream))
}

fn converse(stream: TcpStream, speaks: Speaks, seen: &Mutex<Seen>) -> std::io::Result<()> {
    let mut stream: Box<dyn Stream> = Box::new(stream);
    let mut is_secure = speaks == Speaks::Implicit;
    if is_secure {
        stream = secured(stream);
    }
    stream.write_all(b"220 localhost\r\n")?;
    stream.flush()?;
    let mut lines = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let command = line.trim_end().to_owned();
        seen.lock().unwrap().commands.push(command.clone());
        let verb = command.split(' ').next().unwrap_or_default();
        let answer = match verb.to_ascii_uppercase().as_str() {
            "EHLO" if speaks == Speaks::Starttls && !is_secure => {
                "250-localhost\r\n250-8BITMIME\r\n250 STARTTLS\r\n"
            }
            "EHLO" => "250-localhost\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN\r\n",
            "STARTTLS" => {
                let mut plain = lines.into_inner();
                plain.write_all(b"220 go on\r\n")?;
                plain.flush()?;
                lines = BufReader::new(secured(plain));
                is_secure = true;
                continue;
            }
            "AUTH" => "235 welcome\r\n",
            "DATA" => {
                lines.get_mut().write_all(b"354 go on\r\n")?;
                lines.get_mut().flush()?;
                let mut message = String::new();
                while !message.ends_with("\r\n.\r\n") {
                    if lines.read_line(&mut message)? == 0 {
                        return Ok(());
                    }
                }
                let mut seen = seen.lock().unwrap();
                if seen.refuses > 0 {
                    seen.refuses -= 1;
                    "451 not now\r\n"
                } else {
                    seen.messages.push(message);
                    "250 taken\r\n"
                }
            }
            "QUIT" => {
                lines.get_mut().write_all(b"221 bye\r\n")?;
                lines.get_mut().flush()?;
                return Ok(());
            }
            _ => "250 ok\r\n",
        };
        lines.get_mut().write_all(answer.as_bytes())?;
        lines.get_mut().flush()?;
    }
}

/// A lab that posts to a relay, and someone who was just told of a new device.
async fn told(relay: &Relay, tls: MailTls, more: impl FnOnce(&mut Config)) -> (Lab, Person) {
    let lab = Lab::apart(|config| {
        relay.configure(config, tls);
        more(config);
    })
    .await;
    let ada = lab.person("Ada Post").await;
    lab.signed_in(&ada).await;
    (lab, ada)
}

/// Issue 3: to a real server, under STARTTLS and under TLS from the first byte, with a password.
#[tokio::test]
async fn mail_goes_to_the_relay_under_tls() {
    for (speaks, tls) in [
        (Speaks::Starttls, MailTls::Starttls),
        (Speaks::Implicit, MailTls::Implicit),
    ] {
        let relay = Relay::start(speaks);
        let (lab, ada) = told(&relay, tls, |config| {
            "lanyard".clone_into(&mut config.mail.user);
            config.mail.password = Some("canary-of-the-relay".into());
        })
        .await;
        assert_eq!(mail::deliver(&lab.app).await.unwrap(), 1);
        assert_eq!(mail::deliver(&lab.app).await.unwrap(), 0);
        let taken = relay.messages();
        assert_eq!(taken.len(), 1);
        assert!(taken[0].contains(&format!("To: {}\r\n", ada.login)));
        assert!(taken[0].contains("Subject: A new sign-in to your account\r\n"));
        assert_eq!(relay.heard("STARTTLS"), speaks == Speaks::Starttls);
        assert!(relay.heard("AUTH PLAIN"));
        let password = lab.app.config.mail.password.as_ref().unwrap();
        assert_eq!(password.expose_secret(), "canary-of-the-relay");
    }
}

/// CFG-06: who stands between and leaves STARTTLS out gets neither the mail nor the password; nor
/// does one whose certificate nobody vouches for.
#[tokio::test]
async fn without_tls_that_can_be_believed_nothing_is_said() {
    let stripped = Relay::start(Speaks::Plain);
    let (lab, _) = told(&stripped, MailTls::Starttls, |config| {
        "lanyard".clone_into(&mut config.mail.user);
        config.mail.password = Some("canary-of-the-relay".into());
    })
    .await;
    mail::deliver(&lab.app).await.unwrap_err();
    let unknown = Relay::start(Speaks::Implicit);
    let (other, _) = told(&unknown, MailTls::Implicit, |config| {
        config.mail.ca_file = None;
    })
    .await;
    mail::deliver(&other.app).await.unwrap_err();
    for relay in [&stripped, &unknown] {
        assert!(relay.messages().is_empty());
        for command in ["AUTH", "MAIL", "RCPT", "DATA"] {
            assert!(!relay.heard(command), "{command}");
        }
    }
}

/// Issue 3: what a relay refuses is tried again, later each time, and taken once.
#[tokio::test]
async fn what_a_relay_refuses_is_tried_again_and_taken_once() {
    let relay = Relay::start(Speaks::Plain);
    let (lab, _) = told(&relay, MailTls::None, |_| ()).await;
    relay.seen.lock().unwrap().refuses = 2;
    for (wait, is_taken) in [(0, false), (29, false), (1, false), (59, false), (1, true)] {
        lab.clock.advance(Duration::seconds(wait));
        let outcome = mail::deliver(&lab.app).await;
        match outcome {
            Ok(count) => assert_eq!(count, usize::from(is_taken)),
            Err(MailError::Relay(why)) => assert_eq!(why, RelayError::Refused(451)),
            Err(other) => panic!("{other:?}"),
        }
        assert_eq!(lab.app.post.stands_still(lab.now()), !is_taken);
    }
    assert_eq!(relay.messages().len(), 1);
    lab.clock.advance(Duration::days(3));
    assert_eq!(mail::deliver(&lab.app).await.unwrap(), 0);
    assert_eq!(relay.messages().len(), 1);
}

/// One that is gone keeps nothing of the others; what is too old is given up, on the record.
#[tokio::test]
async fn what_is_not_taken_for_two_days_is_given_up() {
    let relay = Relay::start(Speaks::Plain);
    let (lab, ada) = told(&relay, MailTls::None, |_| ()).await;
    relay.seen.lock().unwrap().refuses = 1;
    mail::deliver(&lab.app).await.unwrap_err();
    lab.clock.advance(Duration::days(2));
    assert_eq!(mail::deliver(&lab.app).await.unwrap(), 0);
    assert!(relay.messages().is_empty());
    let given_up: (i64, serde_json::Value) = sqlx::query_as(
        "select (select count(*) from outbox.message where given_up_at is not null),
                (select detail from audit.event where type = 'mail.given_up')",
    )
    .fetch_one(&mut lab.database.superuser().await)
    .await
    .unwrap();
    assert_eq!(given_up.0, 1);
    assert_eq!(given_up.1["kind"], "new_device");
    // A later one goes out.
    lab.browser_in(9)
        .sign_in(&ada.login, crate::lab::world::PASSWORD)
        .await
        .goes_to("/account");
    assert_eq!(mail::deliver(&lab.app).await.unwrap(), 1);
}

/// Nothing that was typed becomes a command or a header.
#[tokio::test]
async fn an_address_with_a_line_in_it_goes_nowhere() {
    let relay = Relay::start(Speaks::Plain);
    let (lab, ada) = told(&relay, MailTls::None, |_| ()).await;
    // No login is parsed so; planted where the post reads it.
    sqlx::query("update identity.account set login = $2 where account_id = $1")
        .bind(ada.account)
        .bind("ada@example.test>\r\nRCPT TO:<mallory@example.test")
        .execute(&mut lab.database.superuser().await)
        .await
        .unwrap();
    let refused = mail::deliver(&lab.app).await.unwrap_err();
    assert!(matches!(refused, MailError::Relay(RelayError::Recipient)));
    assert!(relay.messages().is_empty() && !relay.heard("RCPT"));
    // Nothing that the relay is to blame for.
    assert!(!lab.app.post.stands_still(lab.now()));
}
