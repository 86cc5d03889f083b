//! What goes on beside the requests. Each is safe to run on every replica at once.
//!
//! A run that fails or panics is logged, counted, and tried again at its next time.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::apps;
use super::tls::Certificates;
use crate::app::App;
use crate::audit::log::{self, Logs};
use crate::audit::sinks;
use crate::delegation::upkeep as delegations;
use crate::http::chain;
use crate::impersonation::upkeep as impersonation;
use crate::mail;
use crate::metrics::JobEnd;
use crate::oidc::family::sweep as families;
use crate::retention::service as retention;
use crate::revocation::receiver::push::{Pusher, push_all};
use crate::revocation::receiver::reach::Reach;
use crate::revocation::service as revocation;
use crate::signing::ring;

/// The MAC key of contexts lives a day and an hour (`Db::renew_seal_key`).
const SEAL_KEY_RENEWAL: Duration = Duration::from_hours(24);
/// Clocks drift: the process follows the database's.
const CLOCK_READING: Duration = Duration::from_secs(10);
/// A sealed successor is erased so long after it may no longer be given, at the latest.
const SUCCESSOR_ERASURE: Duration = Duration::from_secs(30);
/// What the schedule of the signing keys asks for is done so soon, by whichever replica is first.
const RING_KEEPING: Duration = Duration::from_secs(30);
/// What is dead goes this often.
const PURGE: Duration = Duration::from_mins(10);
/// What ended is given a position so soon where nobody listens.
const TELLING: Duration = Duration::from_secs(5);
/// A receiver that is told hears of an end after this time at most.
const PUSHING: Duration = Duration::from_secs(1);
/// How old `lanyard_verifiers` may be.
const FLEET_COUNT: Duration = Duration::from_secs(15);
/// A clinic made meanwhile has its apps after this long at the latest.
const NEW_CLINICS: Duration = Duration::from_secs(20);
/// What ran out of support's time is over, and on the record, after this long at the latest.
const IMPERSONATIONS: Duration = Duration::from_secs(5);
/// The end of a delegation whose time is over is on the record after this long at the latest; no
/// token of it outlives that time.
const DELEGATIONS: Duration = Duration::from_secs(30);
/// How often the outbox is looked into.
const MAIL: Duration = Duration::from_secs(2);
/// How old `lanyard_outbox_…` may be.
const OUTBOX_COUNT: Duration = Duration::from_secs(15);
/// What was committed is in its log so soon.
const SEQUENCING: Duration = Duration::from_secs(1);
/// What the logs hold is signed and anchored so soon: two misses are less than a minute.
const CHECKPOINTS: Duration = Duration::from_secs(20);
/// What is in a log is on its way to its sinks so soon.
const FORWARDING: Duration = Duration::from_secs(1);
/// How old `lanyard_sink…` may be.
const SINK_COUNT: Duration = Duration::from_secs(15);
/// Months are made long ahead.
const MONTHS: Duration = Duration::from_hours(1);
/// A renewed certificate is taken after this long at the latest.
const CERTIFICATE_RENEWAL: Duration = Duration::from_mins(1);
/// What failed waits so long, if its own time is shorter.
const AFTER_A_FAILURE: Duration = Duration::from_secs(10);

/// Why a run failed: any error of ours, for the log.
type Failure = Box<dyn Error + Send + Sync>;

/// The jobs of a process; they end when this is dropped.
pub(super) struct Jobs {
    app: App,
    running: JoinSet<()>,
}

pub(super) fn start(app: &App, certificates: Option<Arc<Certificates>>, hangups: Signal) -> Jobs {
    let mut jobs = Jobs {
        app: app.clone(),
        running: JoinSet::new(),
    };
    jobs.each("seal_key", SEAL_KEY_RENEWAL, async |app| {
        Ok(app.db.renew_seal_key(&app.env).await?)
    });
    jobs.each("signing_keys", ring::RELOAD, async |app| {
        Ok(app.reload_ring().await?)
    });
    jobs.each("signing_key_life", RING_KEEPING, async |app| {
        Ok(app.keep_ring().await?)
    });
    jobs.each("clock", CLOCK_READING, async |app| {
        Ok(app.db.learn_clock(&app.env).await?)
    });
    jobs.each("successors", SUCCESSOR_ERASURE, async |app| {
        families::erase_successors(&app).await?;
        Ok(())
    });
    jobs.each("impersonations", IMPERSONATIONS, async |app| {
        impersonation::settle(&app).await?;
        Ok(())
    });
    jobs.each("delegations", DELEGATIONS, async |app| {
        delegations::settle(&app).await?;
        Ok(())
    });
    jobs.each("mail", MAIL, async |app| Ok(mail::deliver_all(&app).await?));
    jobs.each("outbox", OUTBOX_COUNT, async |app| {
        Ok(mail::measure(&app).await?)
    });
    jobs.each("purge", PURGE, async |app| {
        retention::purge(&app).await?;
        Ok(())
    });
    jobs.keep_logs();
    jobs.each("revocations", TELLING, async |app| {
        revocation::sequence(&app).await?;
        Ok(())
    });
    jobs.tell_receivers();
    jobs.each("verifiers", FLEET_COUNT, async |app| {
        revocation::fleet(&app).await?;
        Ok(())
    });
    let renewed = certificates.clone();
    let clinics = Arc::new(apps::Followed::default());
    jobs.each("clinics", NEW_CLINICS, move |app| {
        let clinics = Arc::clone(&clinics);
        async move { clinics.follow(&app).await }
    });
    if let Some(certificates) = certificates {
        jobs.each("certificate", CERTIFICATE_RENEWAL, move |_| {
            let certificates = Arc::clone(&certificates);
            async move {
                if certificates.renew()? {
                    tracing::info!("the certificate was renewed");
                }
                Ok(())
            }
        });
    }
    jobs.running.spawn(renew_at_hangup(renewed, hangups));
    jobs
}

/// SIGHUP: the certificate is looked at now. Without one it is nothing, and no reason to end.
async fn renew_at_hangup(certificates: Option<Arc<Certificates>>, mut hangups: Signal) {
    while hangups.recv().await.is_some() {
        match certificates
            .as_ref()
            .map(|certificates| certificates.renew())
        {
            None | Some(Ok(false)) => {}
            Some(Ok(true)) => tracing::info!("the certificate was renewed"),
            Some(Err(error)) => {
                tracing::error!(detail = %chain(&error), "the certificate was not renewed");
            }
        }
    }
}

impl Jobs {
    /// Runs `work` again and again, `period` after its last end. The first time is a period from
    /// now: the process has just done it all.
    fn each<W>(
        &mut self,
        name: &'static str,
        period: Duration,
        work: impl Fn(App) -> W + Send + Sync + 'static,
    ) where
        W: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let app = self.app.clone();
        let pauses = [period, period.max(AFTER_A_FAILURE)];
        self.running.spawn(async move {
            let told = |end| app.metrics.job_ran(name, end, app.env.now());
            again(name, pauses, || work(app.clone()), told).await;
        });
    }

    /// Receivers that are slow, or silent, go on beside those that come after.
    fn tell_receivers(&mut self) {
        let pusher = Pusher::within(Reach::of(&self.app.config));
        let telling = Arc::new(Mutex::new(JoinSet::new()));
        self.each("receivers", PUSHING, move |app| {
            let (pusher, telling) = (pusher.clone(), Arc::clone(&telling));
            async move { Ok(push_all(&app, &pusher, &mut *telling.lock().await).await?) }
        });
    }

    /// What was recorded gets its place, is signed, anchored, and sent where it is awaited.
    fn keep_logs(&mut self) {
        self.app.anchoring.begin(self.app.env.now());
        self.each("log", SEQUENCING, async |app| {
            app.metrics.sequenced(Logs::of(&app).sequence().await?);
            Ok(())
        });
        self.each("checkpoints", CHECKPOINTS, async |app| {
            Ok(log::keep(&app).await?)
        });
        self.each("log_months", MONTHS, async |app| {
            Ok(Logs::of(&app).make_partitions().await?)
        });
        // Sinks that are slow, or silent, go on beside those that come after.
        let sending = Arc::new(Mutex::new(JoinSet::new()));
        self.each("sinks", FORWARDING, move |app| {
            let sending = Arc::clone(&sending);
            async move { Ok(sinks::forward(&app, &mut *sending.lock().await).await?) }
        });
        self.each("sinks_count", SINK_COUNT, async |app| {
            Ok(sinks::measure(&app).await?)
        });
    }

    /// Ends them, at whatever point they are.
    pub(super) async fn end(mut self) {
        self.running.shutdown().await;
    }
}

/// - `pauses`: after what went well, and after a failure
/// - `told`: hears how each run ended
async fn again<W>(
    name: &'static str,
    [pause, pause_after_failure]: [Duration; 2],
    work: impl Fn() -> W,
    told: impl Fn(JobEnd),
) where
    W: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let mut next = pause;
    loop {
        tokio::time::sleep(next).await;
        // A task of its own: its panic ends the run and not the job.
        let mut run = JoinSet::new();
        run.spawn(work());
        let end = match run.join_next().await {
            Some(Ok(Ok(()))) => JobEnd::Done,
            Some(Ok(Err(error))) => {
                tracing::error!(job = name, detail = %chain(&*error), "a job failed");
                JobEnd::Failed
            }
            Some(Err(_)) | None => {
                tracing::error!(job = name, "a job panicked");
                JobEnd::Panicked
            }
        };
        told(end);
        next = match end {
            JobEnd::Done => pause,
            JobEnd::Failed | JobEnd::Panicked => pause_after_failure,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// DOS-13: a job that panics is told of, and goes on; so is one that fails.
    #[tokio::test]
    async fn a_job_goes_on_after_a_panic_and_after_a_failure() {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let count = AtomicU32::new(0);
        let work = || {
            let n = count.fetch_add(1, Ordering::Relaxed);
            async move {
                assert_ne!(n, 0, "the first one panics");
                let second = || std::io::Error::other("the second one fails").into();
                (n != 1).then_some(()).ok_or_else(second)
            }
        };
        let moment = Duration::from_millis(1);
        let goes_on = again("test", [moment; 2], work, |end| {
            let _ = tell.send(end);
        });
        let seen = async {
            let ends = [told.recv().await, told.recv().await, told.recv().await];
            ends.map(Option::unwrap)
        };
        tokio::select! {
            () = goes_on => {}
            ends = seen => {
                assert_eq!(ends, [JobEnd::Panicked, JobEnd::Failed, JobEnd::Done]);
            }
        }
    }
}
