//! Where mail goes: the typed part of the configuration and its keys.

use std::path::PathBuf;

use secrecy::SecretString;

use super::setting::{Kind, Setting};

/// Where mail goes.
#[derive(Clone, Debug)]
pub struct Mail {
    /// By which way.
    pub delivery: MailDelivery,
    /// Where `directory` writes; none: `mail` in the state directory.
    pub directory: Option<PathBuf>,
    /// The sender's address.
    pub from: String,
    /// The relay's name, for `smtp`.
    pub host: String,
    /// Its port.
    pub port: u32,
    /// How the way there is kept private.
    pub tls: MailTls,
    /// Whom we are to the relay; empty: it asks nobody.
    pub user: String,
    /// What we show for it.
    pub password: Option<SecretString>,
    /// Who signed the relay's certificate, beside the public authorities.
    pub ca_file: Option<PathBuf>,
}

impl Mail {
    /// The relay's port.
    pub fn port(&self) -> u16 {
        u16::try_from(self.port).expect("its bounds are those of a port")
    }
}

/// How the way to the relay is kept private. There is no "if it can": who is in between would say
/// that it can't.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// By STARTTLS, and no word before it (RFC 3207).
    Starttls,
    /// From the first byte (RFC 8314).
    Implicit,
    /// Not at all: for a relay on this machine.
    None,
}

/// The way of mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailDelivery {
    /// It stays in the outbox.
    None,
    /// The demo's catcher page shows it.
    Catcher,
    /// One `.eml` file a message.
    Directory,
    /// To a relay.
    Smtp,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            delivery: MailDelivery::None,
            directory: None,
            from: "Lanyard <no-reply@localhost>".to_owned(),
            host: "localhost".to_owned(),
            port: 587,
            tls: MailTls::Starttls,
            user: String::new(),
            password: None,
            ca_file: None,
        }
    }
}

/// The keys of `[mail]`.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "mail.delivery",
        meaning: "Where mail goes: none (it stays in the outbox, and nobody can recover a \
            password by mail), catcher (the demo's page), directory (one .eml file a message), \
            smtp (to a relay).",
        kind: Kind::Choice {
            of: &["none", "catcher", "directory", "smtp"],
            take: |c, word| {
                c.mail.delivery = match word {
                    "catcher" => MailDelivery::Catcher,
                    "directory" => MailDelivery::Directory,
                    "smtp" => MailDelivery::Smtp,
                    _ => MailDelivery::None,
                };
            },
            give: |c| match c.mail.delivery {
                MailDelivery::None => "none",
                MailDelivery::Catcher => "catcher",
                MailDelivery::Directory => "directory",
                MailDelivery::Smtp => "smtp",
            },
        },
    },
    Setting {
        key: "mail.directory",
        meaning: "Where those files go; unset: `mail` in the state directory.",
        kind: Kind::OptionalPath {
            at: |c| &mut c.mail.directory,
        },
    },
    Setting {
        key: "mail.from",
        meaning: "The sender of our mail, ASCII.",
        kind: Kind::Text {
            at: |c| &mut c.mail.from,
        },
    },
    Setting {
        key: "mail.host",
        meaning: "The relay's name, for delivery by smtp; its certificate must be for it.",
        kind: Kind::Text {
            at: |c| &mut c.mail.host,
        },
    },
    Setting {
        key: "mail.port",
        meaning: "The relay's port: usually 587 with starttls, 465 with implicit.",
        kind: Kind::Count {
            least: 1,
            most: 65_535,
            at: |c| &mut c.mail.port,
        },
    },
    Setting {
        key: "mail.tls",
        meaning: "How the way to the relay is kept private: starttls (required, RFC 3207), \
            implicit (RFC 8314), or none, which only a relay on this machine may have.",
        kind: Kind::Choice {
            of: &["starttls", "implicit", "none"],
            take: |c, word| {
                c.mail.tls = match word {
                    "implicit" => MailTls::Implicit,
                    "none" => MailTls::None,
                    _ => MailTls::Starttls,
                };
            },
            give: |c| match c.mail.tls {
                MailTls::Starttls => "starttls",
                MailTls::Implicit => "implicit",
                MailTls::None => "none",
            },
        },
    },
    Setting {
        key: "mail.user",
        meaning: "Whom we are to the relay; unset: it asks nobody.",
        kind: Kind::OptionalText {
            at: |c| &mut c.mail.user,
        },
    },
    Setting {
        key: "mail.password_file",
        meaning: "A file with the password for that.",
        kind: Kind::SecretFile {
            at: |c| &mut c.mail.password,
        },
    },
    Setting {
        key: "mail.ca_file",
        meaning: "A PEM file with the authority that signed the relay's certificate, if it is no \
            public one.",
        kind: Kind::OptionalPath {
            at: |c| &mut c.mail.ca_file,
        },
    },
];
