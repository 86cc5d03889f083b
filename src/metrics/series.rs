//! Every series: its name, its meaning, its unit, its labels.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::process::Process;

/// Labels whose names and values are words of ours.
pub(super) type Words<const N: usize> = [(&'static str, &'static str); N];
type Counted<const N: usize> = Family<Words<N>, Counter>;
pub(super) type Level<const N: usize> = Family<Words<N>, Gauge>;
type Requests = Family<RequestLabels, Histogram, fn() -> Histogram>;

/// From what a cached answer takes to what is nearly given up, in seconds.
const BUCKETS: [f64; 10] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) face: &'static str,
    pub(super) method: &'static str,
    pub(super) route: String,
    pub(super) status: &'static str,
}

#[derive(Debug)]
pub(super) struct Series {
    pub(super) registry: Registry,
    pub(super) requests: Requests,
    pub(super) active_requests: Level<1>,
    pub(super) connections: Level<1>,
    pub(super) accepted: Counted<1>,
    pub(super) turned_away: Counted<2>,
    pub(super) panics: Counted<1>,
    pub(super) pool: Level<2>,
    pub(super) pool_most: Level<1>,
    pub(super) pool_waiting: Level<1>,
    pub(super) pool_begun: Counted<1>,
    pub(super) pool_refused: Counted<1>,
    pub(super) pool_waited: Family<Words<1>, Counter<f64, AtomicU64>>,
    pub(super) hashing: Level<1>,
    pub(super) hashed: Counter,
    pub(super) sign_ins: Counted<1>,
    pub(super) factor_proofs: Counted<2>,
    pub(super) factor_enrollments: Counted<1>,
    pub(super) factor_removals: Counter,
    pub(super) tokens: Counted<2>,
    pub(super) refreshes: Counted<1>,
    pub(super) turns: Counted<1>,
    pub(super) turn_requests: Counted<2>,
    pub(super) signing_since: Level<1>,
    pub(super) sequenced: Counter,
    pub(super) anchor_age: Gauge,
    pub(super) sinks: Level<1>,
    pub(super) sink_behind: Gauge,
    pub(super) sink_oldest: Gauge,
    pub(super) outbox_waiting: Gauge,
    pub(super) outbox_oldest: Gauge,
    pub(super) subscribers: Gauge,
    pub(super) revocations: Counter,
    pub(super) verifiers: Level<1>,
    pub(super) verifier_lag: Gauge<f64, AtomicU64>,
    pub(super) job_runs: Counted<2>,
    pub(super) job_done: Level<1>,
}

fn request_histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

impl Series {
    pub(super) fn new() -> Self {
        let requests: Requests = Family::new_with_constructor(request_histogram);
        let mut series = Self {
            registry: Registry::default(),
            requests,
            active_requests: Family::default(),
            connections: Family::default(),
            accepted: Family::default(),
            turned_away: Family::default(),
            panics: Family::default(),
            pool: Family::default(),
            pool_most: Family::default(),
            pool_waiting: Family::default(),
            pool_begun: Family::default(),
            pool_refused: Family::default(),
            pool_waited: Family::default(),
            hashing: Family::default(),
            hashed: Counter::default(),
            sign_ins: Family::default(),
            factor_proofs: Family::default(),
            factor_enrollments: Family::default(),
            factor_removals: Counter::default(),
            tokens: Family::default(),
            refreshes: Family::default(),
            turns: Family::default(),
            turn_requests: Family::default(),
            signing_since: Family::default(),
            sequenced: Counter::default(),
            anchor_age: Gauge::default(),
            sinks: Level::default(),
            sink_behind: Gauge::default(),
            sink_oldest: Gauge::default(),
            outbox_waiting: Gauge::default(),
            outbox_oldest: Gauge::default(),
            subscribers: Gauge::default(),
            revocations: Counter::default(),
            verifiers: Family::default(),
            verifier_lag: Gauge::default(),
            job_runs: Family::default(),
            job_done: Family::default(),
        };
        series.register_serving();
        series.register_people();
        series.register_database();
        series.register_log();
        series.register_work();
        series.register_revocations();
        series
    }

    fn register_serving(&mut self) {
        let registry = &mut self.registry;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("lanyard_build", "The build that runs", build);
        registry.register_with_unit(
            "http_server_request_duration",
            "From a request's whole head to its answer's head",
            Unit::Seconds,
            self.requests.clone(),
        );
        registry.register(
            "http_server_active_requests",
            "Requests that are being answered",
            self.active_requests.clone(),
        );
        registry.register(
            "lanyard_connections",
            "Open connections",
            self.connections.clone(),
        );
        registry.register(
            "lanyard_connections_accepted",
            "Connections that were let in",
            self.accepted.clone(),
        );
        registry.register(
            "lanyard_turned_away",
            "Connections and requests that got no service, by reason",
            self.turned_away.clone(),
        );
        registry.register(
            "lanyard_panics",
            "Requests that ended in a panic",
            self.panics.clone(),
        );
        registry.register_collector(Box::new(Process));
    }

    fn register_database(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "lanyard_db_connections",
            "Connections of a plane's pool, by state",
            self.pool.clone(),
        );
        registry.register(
            "lanyard_db_connections_max",
            "Most connections of a plane's pool",
            self.pool_most.clone(),
        );
        registry.register(
            "lanyard_db_waiting",
            "Transactions that wait for a connection or for their beginning",
            self.pool_waiting.clone(),
        );
        registry.register(
            "lanyard_db_transactions",
            "Transactions that were begun",
            self.pool_begun.clone(),
        );
        registry.register(
            "lanyard_db_transactions_refused",
            "Transactions that could not begin",
            self.pool_refused.clone(),
        );
        registry.register_with_unit(
            "lanyard_db_begin_wait",
            "Time spent waiting for transactions to begin",
            Unit::Seconds,
            self.pool_waited.clone(),
        );
    }

    fn register_people(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "lanyard_sign_ins",
            "Sign-in attempts, by outcome",
            self.sign_ins.clone(),
        );
        registry.register(
            "lanyard_factor_proofs",
            "Codes that were typed as a second factor, by method and outcome",
            self.factor_proofs.clone(),
        );
        registry.register(
            "lanyard_factor_enrollments",
            "First codes of devices that were being set up, by outcome",
            self.factor_enrollments.clone(),
        );
        registry.register(
            "lanyard_factor_removals",
            "Devices that people took off their accounts",
            self.factor_removals.clone(),
        );
    }

    fn register_revocations(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "lanyard_revocation_subscribers",
            "Resource servers that are told by this process what ends",
            self.subscribers.clone(),
        );
        registry.register(
            "lanyard_revocation_events",
            "Ends that were read to be told of",
            self.revocations.clone(),
        );
        registry.register(
            "lanyard_verifiers",
            "Verifiers that reported within a day, by how they stand",
            self.verifiers.clone(),
        );
        registry.register_with_unit(
            "lanyard_verifier_longest_lag",
            "The longest lag behind the stream that a verifier reported",
            Unit::Seconds,
            self.verifier_lag.clone(),
        );
    }

    fn register_log(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "lanyard_log_entries",
            "Events that this process has given their place in a log",
            self.sequenced.clone(),
        );
        registry.register_with_unit(
            "lanyard_log_anchor_age",
            "How long ago all that the logs held was known to be anchored",
            Unit::Seconds,
            self.anchor_age.clone(),
        );
        registry.register(
            "lanyard_sinks",
            "Where logs are sent as they grow, by how the last try went",
            self.sinks.clone(),
        );
        registry.register(
            "lanyard_sink_behind_entries",
            "Entries that the sink furthest behind does not have",
            self.sink_behind.clone(),
        );
        registry.register_with_unit(
            "lanyard_sink_oldest_age",
            "How old the oldest entry is that some sink does not have",
            Unit::Seconds,
            self.sink_oldest.clone(),
        );
    }

    fn register_work(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "lanyard_password_hashing",
            "Passwords that are being hashed, or wait for it",
            self.hashing.clone(),
        );
        registry.register(
            "lanyard_password_hashes",
            "Passwords that were hashed",
            self.hashed.clone(),
        );
        registry.register(
            "lanyard_token_requests",
            "Answers of the token endpoint, by grant: issued, or the public error code",
            self.tokens.clone(),
        );
        registry.register(
            "lanyard_refreshes",
            "Refresh tokens that were shown, by what became of them",
            self.refreshes.clone(),
        );
        registry.register(
            "lanyard_turns",
            "Transactions that requests of one kind shared",
            self.turns.clone(),
        );
        registry.register(
            "lanyard_turn_requests",
            "Requests that had a turn: done in it, or left to the slower way",
            self.turn_requests.clone(),
        );
        registry.register_with_unit(
            "lanyard_signing_key_current_since_timestamp",
            "Since when the key signs that signs now, in Unix time",
            Unit::Seconds,
            self.signing_since.clone(),
        );
        registry.register(
            "lanyard_outbox_messages",
            "Letters that wait for delivery",
            self.outbox_waiting.clone(),
        );
        registry.register_with_unit(
            "lanyard_outbox_oldest_age",
            "How long the oldest waiting letter has waited",
            Unit::Seconds,
            self.outbox_oldest.clone(),
        );
        registry.register(
            "lanyard_job_runs",
            "Runs of background jobs, by how they ended",
            self.job_runs.clone(),
        );
        registry.register_with_unit(
            "lanyard_job_last_done_timestamp",
            "When a job last ended as it should, in Unix time",
            Unit::Seconds,
            self.job_done.clone(),
        );
    }
}

/// For collectors.
pub(super) const GAUGE: MetricType = MetricType::Gauge;
pub(super) const COUNTER: MetricType = MetricType::Counter;
