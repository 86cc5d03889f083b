//! What operators count: one registry a process, read at `/metrics` as OpenMetrics 1.0.
//!
//! Invariants
//! 1. A label's values are words of ours, route templates or fixed names: never a tenant, a
//!    client, an address, a path or anything typed. So the number of series is bounded.
//! 2. `http_…` and `process_…` are the ecosystem's names; what is ours alone begins with
//!    `lanyard_`. Base units; counters end in `_total`.

mod measured;
mod process;
mod series;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text;
use time::OffsetDateTime;

use crate::app::App;
use series::{RequestLabels, Series};

/// What `/metrics` is answered with.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Why a connection or a request got no service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// Too many connections.
    Connections,
    /// Too many of one network.
    Peer,
    /// Plain HTTP from elsewhere, and by no declared proxy.
    NoProxy,
    /// No TLS handshake, in time or at all.
    Handshake,
    /// Too many requests at once.
    Requests,
    /// The answer took too long to begin.
    Late,
    /// Framing that can be read in two ways.
    Ambiguous,
    /// TLS for one name, a request for another.
    OtherName,
}

impl Turned {
    const fn word(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Peer => "peer",
            Self::NoProxy => "no_proxy",
            Self::Handshake => "handshake",
            Self::Requests => "requests",
            Self::Late => "late",
            Self::Ambiguous => "ambiguous",
            Self::OtherName => "other_name",
        }
    }
}

/// How a run of a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// As it should.
    Done,
    /// With an error.
    Failed,
    /// With a panic.
    Panicked,
}

impl JobEnd {
    const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
        }
    }
}

/// A request that was answered.
#[derive(Debug)]
pub struct Answered<'a> {
    /// Of which face.
    pub face: &'static str,
    /// As sent.
    pub method: &'a str,
    /// The route's template, or `none`.
    pub route: &'a str,
    /// Its status.
    pub status: u16,
    /// From the whole head to the answer's head.
    pub took: Duration,
}

/// Handle on the process's metrics. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    series: Arc<Series>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// An empty registry.
    pub fn new() -> Self {
        Self {
            series: Arc::new(Series::new()),
        }
    }

    /// Everything there is to read, now.
    pub fn text(&self, app: &App) -> String {
        measured::measure(&self.series, app);
        let mut text = String::new();
        text::encode(&mut text, &self.series.registry).expect("a string takes everything");
        text
    }

    /// A request was answered.
    pub fn answered(&self, answered: &Answered<'_>) {
        let labels = RequestLabels {
            face: answered.face,
            method: known_method(answered.method),
            route: answered.route.to_owned(),
            status: status_class(answered.status),
        };
        let requests = &self.series.requests;
        requests
            .get_or_create(&labels)
            .observe(answered.took.as_secs_f64());
    }

    /// A request began.
    pub fn request_began(&self, face: &'static str) {
        self.series
            .active_requests
            .get_or_create(&[("face", face)])
            .inc();
    }

    /// Its answer is on the way.
    pub fn request_ended(&self, face: &'static str) {
        self.series
            .active_requests
            .get_or_create(&[("face", face)])
            .dec();
    }

    /// A connection was let in.
    pub fn connection_opened(&self, face: &'static str) {
        let labels = [("face", face)];
        self.series.accepted.get_or_create(&labels).inc();
        self.series.connections.get_or_create(&labels).inc();
    }

    /// It is over.
    pub fn connection_closed(&self, face: &'static str) {
        self.series
            .connections
            .get_or_create(&[("face", face)])
            .dec();
    }

    /// A connection or request got no service.
    pub fn turned_away(&self, face: &'static str, why: Turned) {
        let labels = [("face", face), ("reason", why.word())];
        self.series.turned_away.get_or_create(&labels).inc();
    }

    /// A request ended in a panic.
    pub fn request_panicked(&self, face: &'static str) {
        self.series.panics.get_or_create(&[("face", face)]).inc();
    }

    /// A job ran.
    pub fn job_ran(&self, job: &'static str, end: JobEnd, now: OffsetDateTime) {
        let labels = [("job", job), ("outcome", end.word())];
        self.series.job_runs.get_or_create(&labels).inc();
        if end == JobEnd::Done {
            let last = self.series.job_done.get_or_create(&[("job", job)]);
            last.set(now.unix_timestamp());
        }
    }

    /// A sign-in went as this word says.
    pub fn signed_in(&self, outcome: &'static str) {
        let labels = [("outcome", outcome)];
        self.series.sign_ins.get_or_create(&labels).inc();
    }

    /// So many events were given their place in a log.
    pub fn sequenced(&self, entries: u64) {
        self.series.sequenced.inc_by(entries);
    }

    /// A code was typed as a second factor, and this became of it.
    pub fn factor_typed(&self, method: &'static str, outcome: &'static str) {
        let labels = [("method", method), ("outcome", outcome)];
        self.series.factor_proofs.get_or_create(&labels).inc();
    }

    /// A device that was being set up was to count, and this became of it.
    pub fn factor_enrolled(&self, outcome: &'static str) {
        let labels = [("outcome", outcome)];
        self.series.factor_enrollments.get_or_create(&labels).inc();
    }

    /// A person took a device off her account.
    pub fn factor_removed(&self) {
        self.series.factor_removals.inc();
    }

    /// The token endpoint answered: `issued`, or the public code.
    pub fn token_answered(&self, grant: &'static str, outcome: &'static str) {
        let labels = [("grant", grant), ("outcome", outcome)];
        self.series.tokens.get_or_create(&labels).inc();
    }

    /// A refresh token was shown, and this became of it.
    pub fn refreshed(&self, outcome: &'static str) {
        let labels = [("outcome", outcome)];
        self.series.refreshes.get_or_create(&labels).inc();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// RFC 9110's methods; a client's own invention is one word.
pub fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 8] = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE",
    ];
    KNOWN
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}

const fn status_class(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use super::{known_method, status_class};

    #[test]
    fn what_a_client_invents_is_one_series() {
        assert_eq!(known_method("GET"), "GET");
        assert_eq!(known_method("BREW"), "other");
        assert_eq!(known_method("get"), "other");
        assert_eq!(status_class(204), "2xx");
        assert_eq!(status_class(503), "5xx");
    }
}
