//! The command line: what an operator asks for, and how the answer is said.
//!
//! Invariants
//! 1. No secret is an option or an argument; what is secret is shown once, on standard output.
//! 2. Each answer exists for people and as JSON whose shape docs/CLI.md holds.
//! 3. Nothing is done as root ([`site`]).

mod account;
mod args;
mod audit;
mod backup;
mod client;
mod config;
mod demo;
mod doctor;
mod healthcheck;
mod impersonation;
mod keys;
mod migrate;
mod operator;
mod output;
mod serve;
mod site;
mod tenant;
mod typed;
mod verifiers;

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use args::{Command, Lanyard, Recover};
pub use operator::Operator;
use output::{Exit, Failure, Output, Reply};
use site::Site;

use crate::config::Given;

/// Reads the arguments and the environment, does what they say, and says how it went.
pub fn main() -> ExitCode {
    prepare_process();
    let asked = match Lanyard::try_parse() {
        Ok(asked) => asked,
        Err(e) => {
            // Help and version are answers, everything else is a mistake.
            let _ = e.print();
            return exit(if e.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            });
        }
    };
    let output = Output::new(asked.output);
    match run(asked, output) {
        Ok(reply) => {
            output.say(&reply);
            exit(reply.exit)
        }
        Err(failure) => {
            Output::complain(&failure);
            exit(failure.exit)
        }
    }
}

/// No core dump holds a key (attacks CFG-02); as many files as the system allows, since each
/// connection is one; TLS has its one cryptography.
fn prepare_process() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, none);
    let files = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: files.maximum,
        ..files
    };
    let _ = setrlimit(Resource::Nofile, most);
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn exit(how: Exit) -> ExitCode {
    ExitCode::from(how as u8)
}

fn run(asked: Lanyard, output: Output) -> Result<Reply, Failure> {
    let mut given = Given {
        file: asked.config,
        planes: None,
        environment: environment(),
    };
    match asked.command {
        Command::Completions { shell } => Ok(completions(shell)),
        Command::Config(action) => config::run(&action, &given),
        Command::Healthcheck { address } => healthcheck::run(address, &given),
        Command::Serve(serve) => {
            given.planes = serve.plane;
            serve::run(&Site::enter(&given)?, serve.migrate, output)
        }
        Command::Demo { action, drive } => demo::run(action, drive, &given, output),
        Command::Migrate => migrate::run(&Site::enter(&given)?),
        Command::Keys(action) => keys::run(&action, &Site::enter(&given)?),
        Command::Tenant(action) => tenant::run(&action, &Site::enter(&given)?),
        Command::Account(action) => account::run(action, &Site::enter(&given)?),
        Command::Impersonation(action) => impersonation::run(&action, &Site::enter(&given)?),
        Command::Client(action) => client::run(action, &Site::enter(&given)?),
        Command::Audit(action) => audit::run(&action, &given),
        Command::Verifiers => verifiers::run(&Site::enter(&given)?),
        Command::Doctor => doctor::run(&given),
        Command::Backup { folder, keys } => {
            backup::backup(&folder, keys.as_deref(), &Site::enter(&given)?)
        }
        Command::Restore { folder, replace } => {
            backup::restore(&folder, replace, &Site::enter(&given)?)
        }
        Command::Recover {
            action: Some(Recover::Administrator),
            ..
        } => migrate::recover(&Site::enter(&given)?),
        Command::Recover { action: None, .. } => backup::recover(&Site::enter(&given)?),
    }
}

/// The environment as text; what is no text is none of ours.
fn environment() -> BTreeMap<String, String> {
    let pairs = std::env::vars_os();
    pairs
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .collect()
}

fn completions(shell: clap_complete::Shell) -> Reply {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Lanyard::command(), "lanyard", &mut script);
    Output::raw(&script);
    Reply::silent()
}
