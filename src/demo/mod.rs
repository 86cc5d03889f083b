//! The demo: a made-up world on this machine, and a run through it that needs nobody.
//!
//! Invariants
//! 1. It listens on loopback alone, and every page says that all is made up.
//! 2. What it writes lies in one marked folder; `reset` removes that and nothing else.
//! 3. A second start uses the world of the first. A database with others' clinics is refused.
//! 4. Its apps and its self-driving run go over real HTTP, as anybody's would.

mod browser;
mod catcher;
mod clients;
pub mod desk;
pub mod drive;
pub mod licenses;
pub mod partner;
pub mod routes;
mod seed;
pub mod state;
mod support;
pub mod table;
pub mod world;

use std::net::SocketAddr;
use std::path::PathBuf;

pub use drive::{Step, drive};
pub use seed::seed;
pub use state::World;

use crate::app::App;
use crate::apps::registration::RegistrationError;
use crate::db::StoreError;
use crate::keys::KeysError;

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The operator's: others could reach it.
    #[error("the demo is for this machine alone, and {0} is no loopback address")]
    NotLoopback(SocketAddr),
    /// The operator's: the folder is somebody's.
    #[error("{0} is not the demo's: move it away, or set another state_dir")]
    Foreign(PathBuf),
    /// The operator's: made-up people and printed passwords are no deployment.
    #[error("{0} is the demo's: nothing but `lanyard demo` runs on it")]
    OnlyDemo(PathBuf),
    /// The operator's: the folder can't be used.
    #[error("{folder} can't be used")]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The operator's: one at a time.
    #[error("a demo is running on {0}: end it first")]
    Running(PathBuf),
    /// The operator's: ciphertext of another master key.
    #[error("the demo's passwords are under another master key: run `lanyard demo reset`")]
    OtherKey,
    /// The operator's: real clinics.
    #[error("this database has a clinic `{0}` that is not the demo's: use another database")]
    NotEmpty(String),
    /// The database failed.
    #[error("the database can't be seeded")]
    Store(#[from] StoreError),
    /// A clinic's data key can't be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The apps are not known to the issuer.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// A step of the run did not go as it should.
    #[error("{0}")]
    Step(String),
    /// Ours: the world contradicts itself.
    #[error("the demo's world contradicts itself: {0}")]
    Contradiction(&'static str),
}

/// The world of this folder: as it is, or made now.
///
/// - `app`: on the configuration that [`state::configure`] gave
/// - `said`: hears of each step
pub async fn prepare(app: &App, said: &mut (dyn FnMut(&str) + Send)) -> Result<World, DemoError> {
    let mut world = if let Some(world) = World::load(&app.config)? {
        world
    } else {
        let world = World::draw(&app.env);
        // Kept before they are used: after a crash the same passwords are seeded on.
        world.keep(&app.config, &app.env)?;
        world
    };
    seed(app, &mut world, said).await?;
    Ok(world)
}
