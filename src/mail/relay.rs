//! Mail that leaves the machine: by SMTP (RFC 5321) to one relay, with TLS unless that is on this
//! machine.

use std::time::Duration;

use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{self, AsyncSmtpTransport};
use lettre::{Address, AsyncTransport as _, Tokio1Executor};
use secrecy::ExposeSecret as _;

use crate::config::{Mail, MailTls};

/// A relay that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a relay did not take a message. No word of the relay's own: it may repeat an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// The operator's: an address, a certificate or a name in the configuration.
    #[error("mail.{0} can't be used")]
    Setting(&'static str),
    /// The address is none that mail goes to.
    #[error("the person's login is no address for mail")]
    Recipient,
    /// No answer, or none in time.
    #[error("the relay can't be reached")]
    Unreachable,
    /// No TLS, or not with a certificate that is believed.
    #[error("no TLS that can be believed with the relay")]
    Tls,
    /// It said no.
    #[error("the relay refused with {0}")]
    Refused(u16),
}

impl RelayError {
    /// Whether it would be the same with any letter. RFC 5321 §4.2.2: 550 to 553 are said of a
    /// mailbox.
    pub(super) const fn is_of_the_way(self) -> bool {
        !matches!(self, Self::Recipient | Self::Refused(550..=553))
    }
}

/// The configured relay.
pub(super) struct Relay {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Address,
}

impl Relay {
    /// - `own_name`: what we call ourselves (RFC 5321 §4.1.1.1)
    pub(super) async fn new(mail: &Mail, own_name: &str) -> Result<Self, RelayError> {
        let from: Mailbox = mail.from.parse().map_err(|_| RelayError::Setting("from"))?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&mail.host)
            .port(mail.port())
            .timeout(Some(PATIENCE))
            .hello_name(ClientId::Domain(own_name.to_owned()))
            .tls(tls(mail).await?);
        if let Some(password) = &mail.password {
            let password = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(mail.user.clone(), password));
        }
        Ok(Self {
            transport: builder.build(),
            from: from.email,
        })
    }

    /// Hands one message over. Its text is given on as it is; the envelope's addresses are parsed,
    /// so none can hold a command.
    pub(super) async fn send(&self, to: &str, message: &str) -> Result<(), RelayError> {
        let to: Address = to.parse().map_err(|_| RelayError::Recipient)?;
        let envelope =
            Envelope::new(Some(self.from.clone()), vec![to]).map_err(|_| RelayError::Recipient)?;
        let sent = self.transport.send_raw(&envelope, message.as_bytes()).await;
        sent.map(|_| ()).map_err(|error| in_words(&error))
    }
}

async fn tls(mail: &Mail) -> Result<Tls, RelayError> {
    if mail.tls == MailTls::None {
        return Ok(Tls::None);
    }
    let mut parameters = TlsParameters::builder(mail.host.clone());
    if let Some(path) = &mail.ca_file {
        let setting = RelayError::Setting("ca_file");
        let pem = tokio::fs::read(path).await.map_err(|_| setting)?;
        let authority = Certificate::from_pem(&pem).map_err(|_| setting)?;
        parameters = parameters.add_root_certificate(authority);
    }
    let parameters = parameters
        .build_rustls()
        .map_err(|_| RelayError::Setting("host"))?;
    Ok(match mail.tls {
        MailTls::Implicit => Tls::Wrapper(parameters),
        MailTls::Starttls | MailTls::None => Tls::Required(parameters),
    })
}

fn in_words(error: &smtp::Error) -> RelayError {
    if let Some(code) = error.status() {
        RelayError::Refused(code.into())
    } else if error.is_tls() {
        RelayError::Tls
    } else {
        RelayError::Unreachable
    }
}

#[cfg(test)]
mod tests {
    use super::RelayError;

    #[test]
    fn a_mailbox_that_is_not_there_says_nothing_of_the_way() {
        for of_one in [RelayError::Recipient]
            .into_iter()
            .chain((550..=553).map(RelayError::Refused))
        {
            assert!(!of_one.is_of_the_way(), "{of_one}");
        }
        let of_all = [421, 451, 535, 549, 554].map(RelayError::Refused);
        for of_all in of_all
            .into_iter()
            .chain([RelayError::Unreachable, RelayError::Tls])
        {
            assert!(of_all.is_of_the_way(), "{of_all}");
        }
    }
}
