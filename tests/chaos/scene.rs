//! A database, two replicas behind a proxy, and people who live on them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;

use super::checker::check;
use super::deployment::{Deployment, Folder, Party, Replica};
use super::journal::Journal;
use super::person::Person;
use super::postgres::Postgres;
use super::proxy::{Proxy, Relay};
use super::seed::Chance;
use super::tables::{Tables, families_with_other_leaves};

/// The tables are looked at this often while people live.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A scene wants the machine for itself.
static ALONE: Mutex<()> = Mutex::const_new(());

pub(crate) struct Scene {
    pub(crate) postgres: Postgres,
    /// Through which the replicas reach their database.
    pub(crate) relay: Relay,
    pub(crate) proxy: Proxy,
    pub(crate) deployment: Deployment,
    pub(crate) parties: Vec<Party>,
    pub(crate) journal: Arc<Journal>,
    replicas: Vec<Option<Replica>>,
    // Last: what runs in it ends before it goes.
    pub(crate) folder: Folder,
    _alone: MutexGuard<'static, ()>,
}

impl Scene {
    /// With two replicas.
    pub(crate) async fn set(name: &str, people: usize) -> Self {
        Self::of(name, people, 2).await
    }

    pub(crate) async fn of(name: &str, people: usize, replicas: usize) -> Self {
        let alone = ALONE.lock().await;
        let folder = Folder::new(name);
        let postgres = Postgres::start(folder.path()).await;
        let relay = Relay::to(postgres.port).await;
        let proxy = Proxy::start().await;
        let deployment = Deployment::new(&folder, Postgres::url(relay.port), proxy.port);
        let parties = deployment.set_up(people).await;
        let mut scene = Self {
            postgres,
            relay,
            proxy,
            deployment,
            parties,
            journal: Arc::new(Journal::new()),
            replicas: (0..replicas).map(|_| None).collect(),
            folder,
            _alone: alone,
        };
        for place in 0..scene.replicas.len() {
            scene.serve(place).await;
        }
        scene
    }

    /// Starts the replica of a place.
    pub(crate) async fn serve(&mut self, place: usize) {
        let replica = self.deployment.serve().await;
        self.proxy.put(place, replica.issuer, replica.operations);
        self.replicas[place] = Some(replica);
    }

    /// `kill -9` for the replica of a place.
    pub(crate) async fn kill(&mut self, place: usize) {
        self.replicas[place].take().expect("it runs").kill().await;
    }

    /// Waits until the replica of a place died at the armed point, and disarms that.
    pub(crate) async fn falls(&mut self, place: usize) {
        self.replicas[place].take().expect("it runs").dies().await;
        self.deployment.disarm();
    }

    pub(crate) fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.replicas.iter().flatten()
    }

    pub(crate) fn person(&self, number: usize, chance: Chance) -> Person {
        let issuer = &self.deployment.issuer;
        Person::new(number, &self.parties, issuer, &self.journal, chance)
    }

    /// People begin to live.
    pub(crate) fn load(&self, people: usize, chance: &mut Chance) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let live = |number| {
            let person = self.person(number, chance.branch());
            tokio::spawn(person.live(Arc::clone(&stop)))
        };
        Load {
            lives: (0..people).map(live).collect(),
            stop,
        }
    }

    /// Looks at every family as often as it can while the database is there.
    pub(crate) fn watch_leaves(&self) -> JoinHandle<()> {
        let (journal, url) = (Arc::clone(&self.journal), Postgres::url(self.relay.port));
        tokio::spawn(async move {
            loop {
                if let Ok(boss) = PgConnection::connect(&url).await {
                    watch(boss, &journal).await;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        })
    }

    /// Lets everybody finish, and judges.
    pub(crate) async fn judge(&self, load: Load, watch: JoinHandle<()>) {
        load.end().await;
        watch.abort();
        self.hold_up().await;
    }

    /// Judges what everybody did and was told so far.
    pub(crate) async fn hold_up(&self) {
        let log = self.journal.read();
        let tables = Tables::read(&mut self.postgres.boss().await).await;
        let (done, unknown) = (
            log.entries.iter().filter(|entry| entry.is_done()).count(),
            log.entries
                .iter()
                .filter(|entry| entry.is_unknown())
                .count(),
        );
        println!(
            "{} deeds: {done} acknowledged, {unknown} in doubt; \
             {} families, {} sessions, {} events",
            log.entries.len(),
            tables.families.len(),
            tables.sessions.len(),
            tables.events.len(),
        );
        let findings = check(&log, &tables);
        assert!(findings.is_empty(), "{}", findings.join("\n"));
    }
}

/// Until the database is gone.
async fn watch(mut boss: PgConnection, journal: &Journal) {
    while let Ok(odd) = families_with_other_leaves(&mut boss).await {
        if odd > 0 {
            journal.saw(format!("{odd} families with another leaf"));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// People who live.
pub(crate) struct Load {
    lives: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl Load {
    async fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        for life in self.lives {
            life.await.expect("a person is not stopped by an answer");
        }
    }
}
