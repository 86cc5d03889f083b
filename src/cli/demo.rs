//! `lanyard demo`: a made-up world on this machine, served and driven through.

use std::cell::Cell;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use super::args::Demo;
use super::migrate;
use super::output::{Exit, Failure, Output, Reply};
use super::serve::{begin_log, refuse_unsafe};
use super::site::{self, Reached, Site, runtime_of};
use crate::app::App;
use crate::config::{Config, Given};
use crate::demo::{self, DemoError, Step, World, state, table};
use crate::http::chain;
use crate::identity::totp::model::step_ends_at;
use crate::keys::MasterKeys;
use crate::server::{self, Face, Leaving};

/// What the demo logs unless somebody asked: the table and the run are to be seen.
const QUIET: &str = "warn";

pub(super) fn run(
    action: Option<Demo>,
    drive_only: bool,
    given: &Given,
    output: Output,
) -> Result<Reply, Failure> {
    let asked = site::configuration(given)?;
    let is_log_asked = asked.source("log.filter") != crate::config::Source::Default;
    let asked = asked.into_config();
    site::drop_root(given, &asked)?;
    match action {
        Some(Demo::Reset) => return reset(&asked),
        Some(Demo::Info) => return info(asked),
        Some(Demo::Code { login }) => return code(asked, &login),
        None => {}
    }
    let mut config = state::configure(asked).map_err(|e| failure(&e))?;
    if !is_log_asked {
        QUIET.clone_into(&mut config.log.filter);
    }
    let site = Site::of(config);
    state::make_folder(&site.config, &site.env).map_err(|e| failure(&e))?;
    let _held = state::hold(&site.config).map_err(|e| failure(&e))?;
    begin_log(&site.config)?;
    let master = site.master()?;
    let began = Instant::now();
    progress("Starting the database");
    let reached = site.start(&master)?;
    let runtime = runtime_of(&site.config.limits)?;
    let outcome = runtime.block_on(serve(&site, &reached, master, began, drive_only, output));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    reached.leave();
    outcome
}

async fn serve(
    site: &Site,
    reached: &Reached,
    master: Arc<MasterKeys>,
    began: Instant,
    drive_only: bool,
    output: Output,
) -> Result<Reply, Failure> {
    let is_new = reached.is_behind().await?;
    if is_new {
        progress("Making the schema");
        // Its one-time secret is not shown: the demo has its people.
        migrate::bring_up(site, reached, &master).await?;
    }
    let db = reached.open(site, site.config.database.connections).await?;
    refuse_unsafe(&db).await?;
    progress("Loading the signing keys");
    let keys = reached.open_keys(site, &db, master).await?;
    let app = App::new(site.config.clone(), site.env.clone(), db, keys)
        .await
        .map_err(|e| Failure::refused(chain(&e), "Run `lanyard demo reset`."))?;
    let world = demo::prepare(&app, &mut |step| progress(step))
        .await
        .map_err(|e| failure(&e))?;
    let leaving = Leaving::default();
    let bound = server::bind(&app, faces(&app, &world, &leaving).await?)
        .await
        .map_err(|e| listening(&e))?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn({
        let app = app.clone();
        async move {
            let until = async { drop(stopped.await) };
            server::serve(&app, bound, &leaving, until).await;
        }
    });
    progress(&format!("Ready in {} ms", began.elapsed().as_millis()));
    if !drive_only {
        let facts = json!({ "event": "ready", "demo": table::facts(&site.config, &world) });
        output.say(&Reply::new(&facts, table::table(&site.config, &world)));
    }
    let outcome = drive_and_wait(&app, &world, reached, drive_only, output).await;
    drop(stop);
    let served = serving.await;
    app.db.close().await;
    match served {
        Ok(()) => outcome,
        Err(panic) => Err(Failure::failed(panic.to_string(), "Start again.")),
    }
}

async fn faces(app: &App, world: &World, leaving: &Leaving) -> Result<Vec<Face>, Failure> {
    let faces = server::faces(app, leaving).await;
    let mut faces = faces.map_err(|e| listening(&e))?;
    for face in &mut faces {
        if face.what == "issuer" {
            face.router = std::mem::take(&mut face.router).merge(demo::routes::router(app, world));
        }
    }
    faces.extend(server::app_faces(app).await.map_err(|e| listening(&e))?);
    Ok(faces)
}

/// Drives once, then serves until a signal; the run's outcome is the command's.
async fn drive_and_wait(
    app: &App,
    world: &World,
    reached: &Reached,
    drive_only: bool,
    output: Output,
) -> Result<Reply, Failure> {
    let went = Cell::new(None);
    let driving = async {
        output.say(&Reply::new(
            &json!({ "event": "driving" }),
            "  A run through it, over HTTP, by itself:",
        ));
        let goes_well = demo::drive(app, world, &mut |step| say_step(output, step)).await;
        went.set(Some(goes_well));
        if !drive_only {
            let words = match (goes_well, std::io::stdout().is_terminal()) {
                (true, true) => "  All went well. Your turn; Ctrl-C ends it.",
                (true, false) => "  All went well. Serving until a signal.",
                (false, _) => "  A step failed; the rest is served all the same.",
            };
            let facts = json!({ "event": "driven", "goes_well": goes_well });
            output.say(&Reply::new(&facts, words));
            std::future::pending::<()>().await;
        }
    };
    let how = tokio::select! {
        () = driving => None,
        () = server::asked_to_stop() => None,
        how = reached.ended() => Some(how),
    };
    if let Some(how) = how {
        return Err(Failure::failed(
            format!("the private cluster has ended: {how}"),
            "Its log is in the demo's folder. Start again.",
        ));
    }
    let mut reply = Reply::new(&json!({ "event": "ended" }), "");
    if went.get() == Some(false) {
        reply.exit = Exit::Failed;
    }
    Ok(reply)
}

fn say_step(output: Output, step: &Step) {
    let took = step.took.as_millis();
    let facts = json!({
        "event": "step",
        "step": step.words,
        "milliseconds": u64::try_from(took).unwrap_or(u64::MAX),
        "is_done": step.is_done,
    });
    output.say(&Reply::new(
        &facts,
        table::step(step.is_done, &step.words, took),
    ));
}

/// The world that was made, whether it is served just now or not.
fn made(asked: Config) -> Result<(Site, World), Failure> {
    let config = state::configure(asked).map_err(|e| failure(&e))?;
    let nothing = || Failure::refused("there is no demo yet", "Start it: `lanyard demo`.");
    let site = Site::of(config);
    if !site.master_path().exists() {
        return Err(nothing());
    }
    let world = World::load(&site.config).map_err(|e| failure(&e))?;
    Ok((site, world.ok_or_else(nothing)?))
}

/// `lanyard demo code`.
fn code(asked: Config, login: &str) -> Result<Reply, Failure> {
    let (site, world) = made(asked)?;
    let secret = world.code_secret(login).ok_or_else(|| {
        Failure::refused(
            format!("`{login}` has no device that makes sign-in codes"),
            "`lanyard demo info` shows who has one.",
        )
    })?;
    let now = site.env.now();
    let next_at = step_ends_at(now);
    let code = secret.code_at(now);
    let seconds = (next_at - now).whole_seconds();
    let facts = json!({
        "code": code,
        "seconds": seconds,
        "next": secret.code_at(next_at),
    });
    let text = format!("{code}   good for {seconds} seconds, and once");
    Ok(Reply::new(&facts, text))
}

/// `lanyard demo info`: works while the demo runs and while it does not.
fn info(asked: Config) -> Result<Reply, Failure> {
    let (site, world) = made(asked)?;
    let facts = table::facts(&site.config, &world);
    Ok(Reply::new(&facts, table::table(&site.config, &world)))
}

/// `lanyard demo reset`.
fn reset(asked: &Config) -> Result<Reply, Failure> {
    let folder = state::folder(asked);
    let is_gone = state::remove_folder(asked).map_err(|e| failure(&e))?;
    let words = if is_gone {
        format!(
            "Removed {}. The next start makes a new world.",
            folder.display()
        )
    } else {
        format!("There is no demo in {}.", folder.display())
    };
    let note = match &asked.database.url {
        Some(_) => " What it put into the database of DATABASE_URL stays there.",
        None => "",
    };
    let facts = json!({ "removed": is_gone, "folder": folder });
    Ok(Reply::new(&facts, format!("{words}{note}")))
}

/// What happens, on standard error: it is no answer.
fn progress(words: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "  {words}");
}

fn failure(error: &DemoError) -> Failure {
    match error {
        DemoError::Store(error) => site::store(error),
        other => Failure::refused(chain(other), "`lanyard demo --help` says how it is meant."),
    }
}

fn listening(error: &server::ServeError) -> Failure {
    Failure::failed(
        chain(error),
        "Does another process have it? End that one, or choose other addresses \
         (`lanyard config explain listen.issuer`).",
    )
}
