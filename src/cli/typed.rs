//! Reading what must not stand on a command line: passwords and one-time secrets.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::args::PasswordFrom;
use super::output::Failure;
use crate::env::Env;
use crate::identity::password_rules::{self, MIN_CHARACTERS, Weakness};

/// Letters and digits that nobody confuses: 32 of them, five bits each.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789-";

/// A password, and whether we made it.
#[derive(Debug)]
pub(super) struct Password {
    pub(super) secret: SecretString,
    pub(super) is_generated: bool,
}

/// Reads or makes a password.
pub(super) fn password(from: PasswordFrom, env: &Env) -> Result<Password, Failure> {
    if from.generate_password {
        return Ok(Password {
            secret: generated(env),
            is_generated: true,
        });
    }
    let secret = if from.password_stdin {
        line_of_stdin("a password")?
    } else {
        let first = ask("Password: ")?;
        let again = ask("Once more: ")?;
        if first.expose_secret() != again.expose_secret() {
            return Err(Failure::usage("the two passwords differ", "Try again."));
        }
        first
    };
    password_rules::check(secret.expose_secret(), &[]).map_err(|why| {
        Failure::refused(
            format!("this password is not taken: {}", weakness(why)),
            "Choose another one, or use --generate-password.",
        )
    })?;
    Ok(Password {
        secret,
        is_generated: false,
    })
}

fn weakness(why: Weakness) -> String {
    match why {
        Weakness::TooShort => format!("it has fewer than {MIN_CHARACTERS} characters"),
        Weakness::TooLong => "it is longer than is looked at".to_owned(),
        Weakness::TooCommon => "it is made of what is guessed first".to_owned(),
    }
}

/// Reads a one-time secret: from the terminal, or as a line of standard input.
pub(super) fn one_time_secret(from: PasswordFrom) -> Result<SecretString, Failure> {
    if from.password_stdin || !io::stdin().is_terminal() {
        return line_of_stdin("the one-time secret");
    }
    ask("One-time secret: ")
}

/// Reads what a receiver knows us by: from the terminal, or as a line of standard input.
pub(super) fn bearer_secret() -> Result<SecretString, Failure> {
    if io::stdin().is_terminal() {
        return ask("Secret: ");
    }
    line_of_stdin("the secret")
}

/// Five groups of five: 123 random bits.
fn generated(env: &Env) -> SecretString {
    // The hyphen separates, so that 31 characters are left to draw from; drawn without bias.
    let mut drawn = Zeroizing::new(String::new());
    let mut count = 0;
    while count < 25 {
        let byte = Zeroizing::new(env.random_bytes::<1>())[0] & 31;
        let letter = ALPHABET[usize::from(byte)];
        if letter == b'-' {
            continue;
        }
        if count > 0 && count % 5 == 0 {
            drawn.push('-');
        }
        drawn.push(char::from(letter));
        count += 1;
    }
    drawn.as_str().into()
}

fn line_of_stdin(what: &str) -> Result<SecretString, Failure> {
    let mut line = Zeroizing::new(String::new());
    let unread = |e| Failure::failed(format!("standard input can't be read: {e}"), "Try again.");
    io::stdin().lock().read_line(&mut line).map_err(unread)?;
    let line = line.trim_end_matches(['\n', '\r']);
    if line.is_empty() {
        return Err(Failure::usage(
            format!("standard input held no line with {what}"),
            "Write it there, one line each.",
        ));
    }
    Ok(line.into())
}

fn ask(prompt: &str) -> Result<SecretString, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "there is no terminal to ask on",
            "Use --password-stdin or --generate-password.",
        ));
    }
    let _ = write!(io::stderr().lock(), "{prompt}");
    let silence = Silence::begin()?;
    let line = line_of_stdin("an answer");
    drop(silence);
    let _ = writeln!(io::stderr().lock());
    line
}

/// The terminal shows nothing of what is typed while this lives.
struct Silence {
    before: Termios,
}

impl Silence {
    fn begin() -> Result<Self, Failure> {
        let failed = |e: rustix::io::Errno| {
            Failure::failed(
                format!("the terminal can't be silenced: {e}"),
                "Use --password-stdin.",
            )
        };
        let before = tcgetattr(io::stdin()).map_err(failed)?;
        restore_at_interrupt(before.clone()).map_err(|e| {
            Failure::failed(
                format!("signals can't be heard: {e}"),
                "Use --password-stdin.",
            )
        })?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Now, &silent).map_err(failed)?;
        Ok(Self { before })
    }
}

/// Ctrl-C at a prompt ends the process, and the terminal shows what is typed again.
fn restore_at_interrupt(before: Termios) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let mut signals = {
        let _context = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    std::thread::spawn(move || {
        let code = runtime.block_on(async {
            tokio::select! {
                _ = signals.0.recv() => 130,
                _ = signals.1.recv() => 143,
            }
        });
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
        std::process::exit(code);
    });
    Ok(())
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_password_is_long_and_never_the_same() {
        let (one, two) = (generated(&Env::system()), generated(&Env::system()));
        assert_ne!(one.expose_secret(), two.expose_secret());
        assert_eq!(
            one.expose_secret()
                .split('-')
                .map(str::len)
                .collect::<Vec<_>>(),
            [5; 5]
        );
    }
}
