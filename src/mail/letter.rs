//! What a message says, in words. Pure.

use time::OffsetDateTime;
use time::macros::format_description;
use uuid::Uuid;

use crate::db::outbox::{MailKind, Side};
use crate::pages::{day_and_time, paths};

/// A letter, without its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// ASCII, one line.
    pub subject: &'static str,
    /// Plain text, lines ended by `\n`.
    pub body: String,
}

impl Letter {
    /// Writes it.
    ///
    /// - `issuer`: for the address of the account page
    /// - `at`: when what it tells of happened
    pub fn write(mail: &MailKind, issuer: &str, at: OffsetDateTime) -> Self {
        let when = day_and_time(at);
        let account = format!("{issuer}{}", paths::ACCOUNT);
        match mail {
            MailKind::NewDevice { device } => Self {
                subject: "A new sign-in to your account",
                body: format!(
                    "Hello,\n\n\
                     someone signed in to your account with a browser that we had not seen \
                     before.\n\n\
                     When:    {when}\n\
                     Browser: {device}\n\n\
                     If that was you, there is nothing to do.\n\n\
                     If it was not, sign out everywhere and change your password here:\n\
                     {account}\n"
                ),
            },
            MailKind::PasswordChanged {} => Self {
                subject: "Your password was changed",
                body: format!(
                    "Hello,\n\n\
                     the password of your account was changed, and your other devices were \
                     signed out.\n\n\
                     When: {when}\n\n\
                     If that was you, there is nothing to do.\n\n\
                     If it was not, tell your clinic's front desk at once: they can help you \
                     back in.\n"
                ),
            },
            MailKind::FactorAdded {} => factors_changed(ADDED, &when, &account),
            MailKind::FactorRemoved {} => factors_changed(REMOVED, &when, &account),
            MailKind::FactorsReset {} => factors_changed(RESET, &when, &account),
            MailKind::RecoveryCodesMade {} => factors_changed(CODES_MADE, &when, &account),
            MailKind::RecoveryCodeUsed { left } => {
                let what = format!("{USED} Codes that are still good: {left}.");
                let subject = "A recovery code was used to sign in";
                factors_changed((subject, &what), &when, &account)
            }
            MailKind::PasswordRecovery { .. } => Self::recovery(issuer, None, at),
            MailKind::SupportAsks { clinic } => support_asks(clinic, &when, &account),
            MailKind::SupportAsksClinic { clinic } => support_asks_clinic(clinic, &when),
            MailKind::SupportActs { clinic, minutes } => {
                support_acts(clinic, *minutes, &when, &account)
            }
            MailKind::EmergencyOpened { clinician, clinic } => {
                emergency_opened(clinician, clinic, &when)
            }
            MailKind::DelegationMade { clinic, side } => delegation_made(clinic, *side, &when),
            MailKind::DelegationEnded { clinic, side } => delegation_ended(clinic, *side, &when),
            MailKind::ReusedToken { client_name } => Self {
                subject: "We signed you out of an app",
                body: format!(
                    "Hello,\n\n\
                     something used your sign-in to {client_name} a second time, which only a \
                     copy of it can do. To be safe we ended that sign-in.\n\n\
                     When: {when}\n\n\
                     You can sign in again as usual. If you do not know why this happened, sign \
                     out everywhere and change your password here:\n\
                     {account}\n"
                ),
            },
        }
    }

    /// The one letter with a link in it.
    ///
    /// - `issuer`: as configured; a request's `Host` is never in a link (LOGIN-14)
    /// - `link`: its text; `None` when it was delivered before
    pub(crate) fn recovery(issuer: &str, link: Option<&str>, at: OffsetDateTime) -> Self {
        let when = day_and_time(at);
        let address = match link {
            Some(link) => format!("{issuer}{}?key={link}", paths::RECOVERY_LINK),
            None => "(the link was in the message that was sent)".to_owned(),
        };
        Self {
            subject: "Choose a new password",
            body: format!(
                "Hello,\n\n\
                 someone, we hope you, asked to choose a new password for your account.\n\n\
                 When: {when}\n\n\
                 Follow this link within 15 minutes. It works once:\n\n\
                 {address}\n\n\
                 If that was not you, there is nothing to do: your password stays as it is. \
                 Nobody at your clinic will ever ask you for this link.\n"
            ),
        }
    }

    /// The whole message with its header (RFC 5322), lines ended by CR LF.
    pub fn message(&self, id: Uuid, from: &str, to: &str, at: OffsetDateTime) -> String {
        let date = at
            .format(format_description!(
                "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] \
                 [offset_hour sign:mandatory][offset_minute]"
            ))
            .expect("every instant has these parts");
        let header = format!(
            "Date: {date}\nFrom: {}\nTo: {}\nSubject: {}\nMessage-ID: <{id}@lanyard>\n\
             MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
             Content-Transfer-Encoding: 8bit\nAuto-Submitted: auto-generated\n",
            one_line(from),
            one_line(to),
            self.subject,
        );
        format!("{header}\n{}", self.body).replace('\n', "\r\n")
    }
}

/// Subjects, and what happened.
const ADDED: (&str, &str) = (
    "A device for sign-in codes was added",
    "a device that makes sign-in codes was added to your account.",
);
const REMOVED: (&str, &str) = (
    "A device for sign-in codes was removed",
    "a device that makes sign-in codes was removed from your account.",
);
const RESET: (&str, &str) = (
    "Your sign-in codes were taken off your account",
    "your clinic's support took all devices and recovery codes off your account, and signed you \
     out everywhere. When you sign in again you are asked to set up a new device.",
);
const CODES_MADE: (&str, &str) = (
    "New recovery codes were made for your account",
    "new recovery codes were made for your account. Older ones are no longer good.",
);
const USED: &str = "someone signed in to your account with a recovery code.";

/// What is said of every change of factors: what happened, when, what to do.
fn factors_changed((subject, what): (&'static str, &str), when: &str, account: &str) -> Letter {
    Letter {
        subject,
        body: format!(
            "Hello,\n\n\
             {what}\n\n\
             When: {when}\n\n\
             If you know about this, there is nothing to do.\n\n\
             If you do not, sign out everywhere and change your password here, and tell your \
             clinic's front desk:\n\
             {account}\n"
        ),
    }
}

/// What is said when support wants to act as her, and she decides.
fn support_asks(clinic: &str, when: &str, account: &str) -> Letter {
    Letter {
        subject: "Support asks to act for you",
        body: format!(
            "Hello,\n\n\
             the platform's support asks whether it may act as you at {clinic} for a while, to \
             help with something. It can do nothing until you say yes.\n\n\
             When: {when}\n\n\
             See who asks and why, and answer, under \"Support access\" on your account page:\n\
             {account}\n"
        ),
    }
}

/// What is said to those who decide for their clinic.
fn support_asks_clinic(clinic: &str, when: &str) -> Letter {
    Letter {
        subject: "Support asks to act at your clinic",
        body: format!(
            "Hello,\n\n\
             the platform's support asks whether it may act as somebody of {clinic} for a while, \
             to help with something. It can do nothing until one of the clinic's administrators \
             says yes.\n\n\
             When: {when}\n\n\
             Open your clinic's console and look under \"Support\": it says who asks, as whom and \
             why, and takes your answer.\n"
        ),
    }
}

/// What is said when it begins.
fn support_acts(clinic: &str, minutes: i16, when: &str, account: &str) -> Letter {
    Letter {
        subject: "Support acts for you now",
        body: format!(
            "Hello,\n\n\
             the platform's support acts as you at {clinic} from now on, for {minutes} minutes \
             at most. It can't see or change how you sign in.\n\n\
             When: {when}\n\n\
             See who it is, why, and what was opened, and end it at once if you want to, under \
             \"Support access\" on your account page:\n\
             {account}\n"
        ),
    }
}

/// Who, when and where to look, and nothing of the patient.
fn emergency_opened(clinician: &str, clinic: &str, when: &str) -> Letter {
    Letter {
        subject: "Emergency access was opened at your clinic",
        body: format!(
            "Hello,\n\n\
             a clinician opened the record of a patient who is not assigned to them, in an \
             emergency. It waits for your review.\n\n\
             Who:    {}\n\
             When:   {when}\n\
             Clinic: {}\n\n\
             Sign in to your clinic's console as you always do: it says whose record, why, and \
             until when. It waits there until someone other than the clinician has signed it \
             off.\n",
            one_line(clinician),
            one_line(clinic),
        ),
    }
}

/// What is said to both when it was written down that somebody may act for somebody: neither who
/// nor why, which stands where one signs in.
fn delegation_made(clinic: &str, side: Side, when: &str) -> Letter {
    let (subject, what, unknown) = match side {
        Side::Patient => (
            "Someone may act for you",
            "it was written down that someone may act for you",
            "If you do not know about this, or did not want it, tell your clinic's front desk at \
             once.",
        ),
        Side::Proxy => (
            "You may act for someone",
            "it was written down that you may act for someone",
            "If you do not know about this, or do not want it, end it there, or tell your \
             clinic's front desk.",
        ),
    };
    told_of_delegation((subject, what, unknown), clinic, when)
}

/// What is said to both when it is over.
fn delegation_ended(clinic: &str, side: Side, when: &str) -> Letter {
    let (subject, what) = match side {
        Side::Patient => (
            "Someone may no longer act for you",
            "someone who could act for you can't any more",
        ),
        Side::Proxy => (
            "You may no longer act for someone",
            "you can't act any more for someone for whom you could",
        ),
    };
    let unknown = "If you do not know why, ask your clinic's front desk.";
    told_of_delegation((subject, what, unknown), clinic, when)
}

fn told_of_delegation(
    (subject, what, unknown): (&'static str, &str, &str),
    clinic: &str,
    when: &str,
) -> Letter {
    Letter {
        subject,
        body: format!(
            "Hello,\n\n\
             {what}.\n\n\
             When:   {when}\n\
             Clinic: {}\n\n\
             Sign in to your clinic's portal as you always do: under \"Acting for somebody\" it \
             says who may act for whom, and until when.\n\n\
             {unknown}\n",
            one_line(clinic),
        ),
    }
}

/// Nothing that could begin a header line of its own.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const AT: OffsetDateTime = datetime!(2026-03-02 14:05:09 UTC);

    #[test]
    fn a_letter_says_what_happened_when_and_what_to_do() {
        let mail = MailKind::NewDevice {
            device: "Firefox on Windows".into(),
        };
        let letter = Letter::write(&mail, "https://id.example.com", AT);
        for words in [
            "Firefox on Windows",
            "Mon, Mar 2, 2026, 2:05 PM UTC",
            "/account\n",
        ] {
            assert!(letter.body.contains(words), "{}", letter.body);
        }
    }

    #[test]
    fn no_letter_has_a_link_with_anything_in_it() {
        for mail in [
            MailKind::NewDevice {
                device: "A browser".into(),
            },
            MailKind::PasswordChanged {},
            MailKind::FactorAdded {},
            MailKind::FactorRemoved {},
            MailKind::FactorsReset {},
            MailKind::RecoveryCodesMade {},
            MailKind::RecoveryCodeUsed { left: 9 },
            MailKind::SupportAsks {
                clinic: "Juniper Clinic".into(),
            },
            MailKind::SupportAsksClinic {
                clinic: "Juniper Clinic".into(),
            },
            MailKind::SupportActs {
                clinic: "Juniper Clinic".into(),
                minutes: 15,
            },
            MailKind::EmergencyOpened {
                clinician: "Doctor Vale".into(),
                clinic: "Juniper Clinic".into(),
            },
            MailKind::DelegationMade {
                clinic: "Juniper Clinic".into(),
                side: Side::Patient,
            },
            MailKind::DelegationEnded {
                clinic: "Juniper Clinic".into(),
                side: Side::Proxy,
            },
            MailKind::ReusedToken {
                client_name: "Patient portal".into(),
            },
        ] {
            let letter = Letter::write(&mail, "https://id.example.com", AT);
            for link in letter
                .body
                .split_whitespace()
                .filter(|word| word.contains("://"))
            {
                assert_eq!(link, "https://id.example.com/account");
            }
        }
    }

    #[test]
    fn an_address_can_not_add_a_header() {
        let letter = Letter {
            subject: "Hello",
            body: "One\nTwo\n".into(),
        };
        let to = "ada@example.test\r\nBcc: mallory@example.test";
        let message = letter.message(Uuid::nil(), "Lanyard <no-reply@example.com>", to, AT);
        let header = message.split("\r\n\r\n").next().expect("a header");
        assert!(
            !header.lines().any(|line| line.starts_with("Bcc")),
            "{header}"
        );
        assert!(
            header.starts_with("Date: Mon, 02 Mar 2026 14:05:09 +0000\r\n"),
            "{header}"
        );
        assert!(message.ends_with("\r\n\r\nOne\r\nTwo\r\n"));
    }
}
