//! Every combination of who presents what, what ends, how the verifier is told, and what its routes
//! do while it is not: driven through the real layer, the real set and the real task, by a clock
//! that the test makes.
//!
//! - Safety: nothing that was ended is let in later than the policy's bound after it was committed,
//!   and nothing at all once the verifier was told.
//! - Honesty: a verifier never counts as told since it last could hear the issuer.
//! - Progress: nobody is refused without cause. A 401 has a revocation behind it, a 503 a lag
//!   beyond the bound; and who can hear the issuer is soon up to date.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use http::{Method, Request};
use lanyard_verifier::test_issuer::{Ended, TestIssuer, TestToken};
use lanyard_verifier::{
    ActedRequest, GrantId, Guard, IntrospectionError, Preset, Recorder, Recording, SubjectId,
    Verifier, WhenStale,
};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::clock::TokioClock;
use crate::followed::another;
use crate::lab::{AUDIENCE, BOREALIS, ISSUER, JUNIPER, bearing, call};

const ADA: SubjectId = SubjectId::from_uuid(Uuid::from_u128(1));
const SAM: SubjectId = SubjectId::from_uuid(Uuid::from_u128(2));
const GRANT: GrantId = GrantId::from_uuid(Uuid::from_u128(3));

/// Seconds between two looks; a heartbeat each.
const STEP: u64 = 5;
const STEPS: u64 = 14;
/// When it ends, if not before the verifier began.
const COMMITTED: u64 = 2;
/// A verifier that can hear the issuer again does so within its longest pause.
const SOON: Duration = Duration::from_secs(6);
const BOUND: Duration = Duration::from_secs(30);
const ACCEPTED: Duration = Duration::from_secs(45);

/// How the verifier is told.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    AtOnce,
    /// The message is lost; the next heartbeat shows it.
    Lost,
    /// The stream breaks in that instant.
    Cut,
    /// Nothing comes through from the step before it ends, for so many steps.
    Partition(u64),
    /// The verifier is started anew a step later, `true`: while nothing comes through.
    Restart(bool),
}

const TOLD: [Told; 8] = [
    Told::AtOnce,
    Told::Lost,
    Told::Cut,
    Told::Partition(3),
    Told::Partition(8),
    Told::Partition(STEPS),
    Told::Restart(false),
    Told::Restart(true),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Policy {
    FailClosed,
    AcceptUpTo,
    Introspect,
    /// The issuer can't be asked either.
    IntrospectInVain,
}

/// Who presents what; `true`: what is sent is a POST.
const PRESENTED: [(&str, Option<Preset>, bool); 6] = [
    ("in her session", None, true),
    ("in her other session", None, false),
    ("in another clinic", None, false),
    ("support, looking", Some(Preset::ReadOnly), false),
    ("support, looking, writes", Some(Preset::ReadOnly), true),
    ("support, helping, writes", Some(Preset::Assist), true),
];

fn token(issuer: &TestIssuer, n: usize) -> TestToken {
    let token = issuer.token(AUDIENCE).tenant(JUNIPER).subject(ADA);
    let token = token.roles(["patient"]).claim("jti", n.to_string());
    match PRESENTED[n] {
        (_, Some(preset), _) => token.acted(SAM, GRANT, preset).claim("sid", "acted"),
        ("in her session", ..) => token.claim("sid", "one"),
        ("in another clinic", ..) => token
            .tenant(BOREALIS)
            .roles(["nurse"])
            .claim("sid", "three"),
        _ => token.claim("sid", "two"),
    }
}

/// What ends, and which of [`PRESENTED`] it names.
fn endings() -> [(Ended, &'static [usize]); 8] {
    let sid = |sid: &str| sid.to_owned();
    [
        (Ended::Session(JUNIPER, sid("one")), &[0]),
        (Ended::Family(JUNIPER, sid("two"), sid("test-client")), &[1]),
        (Ended::Family(JUNIPER, sid("two"), sid("another")), &[]),
        (Ended::Impersonation(JUNIPER, sid("acted")), &[3, 4, 5]),
        (Ended::Subject(JUNIPER, ADA), &[0, 1, 3, 4, 5]),
        (Ended::Tenant(BOREALIS), &[2]),
        (Ended::Role(sid("patient")), &[0, 1, 3, 4, 5]),
        (Ended::Key(sid("test-1")), &[0, 1, 2, 3, 4, 5]),
    ]
}

/// Everything is recorded, and nothing else is asked of it here.
struct Ledger;

impl Recorder for Ledger {
    fn record<'a>(&'a self, _: &'a ActedRequest) -> Recording<'a> {
        Box::pin(async { Ok(()) })
    }
}

struct World {
    issuer: TestIssuer,
    clock: TokioClock,
    policy: Policy,
    /// What the issuer knows to be over, by token.
    over: Arc<Mutex<HashSet<String>>>,
    verifier: Verifier,
    api: Router,
    /// When something could last be heard.
    heard_at: Instant,
    /// Since when it can be heard again without a break.
    open_since: Option<Instant>,
    committed_at: Option<Instant>,
    is_told: bool,
}

impl World {
    fn new(policy: Policy) -> Self {
        let clock = TokioClock::new();
        let issuer = TestIssuer::new(ISSUER).clock(clock);
        let over = Arc::default();
        let verifier = verifier(&issuer, clock, policy, &over);
        let api = api(&verifier, policy);
        let now = Instant::now();
        Self {
            issuer,
            clock,
            policy,
            over,
            verifier,
            api,
            heard_at: now,
            open_since: Some(now),
            committed_at: None,
            is_told: false,
        }
    }

    fn commit(&mut self, told: Told, ended: &Ended, tokens: &[String], named: &[usize]) {
        let set = self.issuer.security_event(AUDIENCE, ended).mint();
        self.over
            .lock()
            .expect("not poisoned")
            .extend(named.iter().map(|n| tokens[*n].clone()));
        self.committed_at = Some(Instant::now());
        match told {
            Told::Lost => self.issuer.publish_lost(set),
            Told::Cut => {
                self.issuer.cut_streams();
                self.issuer.publish(set)
            }
            _ => self.issuer.publish(set),
        };
        if matches!(told, Told::Lost | Told::Cut) {
            self.open_since = Some(Instant::now());
        }
    }

    fn partition(&mut self, is_partitioned: bool) {
        self.issuer.set_partitioned(is_partitioned);
        self.open_since = (!is_partitioned).then(Instant::now);
    }

    fn restart(&mut self) {
        self.verifier = verifier(&self.issuer, self.clock, self.policy, &self.over);
        self.api = api(&self.verifier, self.policy);
        self.is_told = false;
    }

    /// Five seconds and a heartbeat, and everybody has done what there was to do.
    async fn step(&mut self, is_lost: bool) {
        // The follower of a verifier that was not asked yet begins with this.
        let _ = tokio::time::timeout(Duration::ZERO, self.verifier.revocations_known()).await;
        sleep(Duration::from_secs(STEP)).await;
        self.issuer.heartbeat();
        for _ in 0..40 {
            tokio::task::yield_now().await;
        }
        // What was lost is missed at this heartbeat, and the snapshot comes after a pause.
        if is_lost {
            sleep(Duration::from_secs(1)).await;
            self.issuer.heartbeat();
            for _ in 0..40 {
                tokio::task::yield_now().await;
            }
        }
        if self.open_since.is_some() {
            self.heard_at = Instant::now();
        }
        let status = self.verifier.feed_status().expect("it follows");
        self.is_told |= self.committed_at.is_some() && status.held > 0;
    }

    /// How long ago the verifier was told everything; checked against what it can have heard.
    fn lag(&self, case: &str) -> Option<Duration> {
        let lag = self.verifier.feed_status().expect("it follows").lag;
        let unheard = self.heard_at.elapsed();
        // Written on the wire in whole seconds, and read in milliseconds.
        let honest = lag.is_none_or(|lag| lag + Duration::from_secs(1) >= unheard);
        assert!(
            honest,
            "{case}: lag {lag:?}, and nothing heard for {unheard:?}"
        );
        if self.open_since.is_some_and(|since| since.elapsed() >= SOON) {
            let is_soon = lag.is_some_and(|lag| lag <= Duration::from_secs(1));
            assert!(is_soon, "{case}: lag {lag:?}, and nothing in the way");
            assert!(
                self.is_told || self.committed_at.is_none(),
                "{case}: not told"
            );
        }
        lag
    }

    async fn look(&self, tokens: &[String], named: &[usize], case: &str) -> u32 {
        let lag = self.lag(case);
        let mut let_in = 0;
        for (n, (who, preset, writes)) in PRESENTED.iter().enumerate() {
            let is_over = self.committed_at.is_some() && named.contains(&n);
            let expected = match (self.policy, lag) {
                _ if is_over && self.is_told => 401,
                (_, Some(lag)) if lag <= BOUND => 200,
                (Policy::AcceptUpTo, Some(lag)) if lag <= ACCEPTED => 200,
                (Policy::Introspect, _) if is_over => 401,
                (Policy::Introspect, _) => 200,
                _ => 503,
            };
            let reads_only = *preset == Some(Preset::ReadOnly) && *writes;
            let expected = if reads_only && expected == 200 {
                403
            } else {
                expected
            };
            let status = self.present(&tokens[n], *writes).await;
            assert_eq!(status, expected, "{case}: {who}, lag {lag:?}");
            let within = match self.policy {
                Policy::AcceptUpTo => ACCEPTED,
                _ => BOUND,
            };
            let is_late = self.committed_at.is_some_and(|at| at.elapsed() > within);
            assert!(
                !(status == 200 && is_over && is_late),
                "{case}: {who} after the bound"
            );
            let_in += u32::from(status == 200 && is_over);
        }
        let_in
    }

    async fn present(&self, token: &str, writes: bool) -> u16 {
        let method = if writes { Method::POST } else { Method::GET };
        let request = bearing(Request::builder().method(method).uri("/"), token);
        call(&self.api, request).await.status.as_u16()
    }
}

fn verifier(
    issuer: &TestIssuer,
    clock: TokioClock,
    policy: Policy,
    over: &Arc<Mutex<HashSet<String>>>,
) -> Verifier {
    let over = Arc::clone(over);
    another(issuer, clock, |builder| {
        let answer = move |token: &str| match policy {
            Policy::IntrospectInVain => Err(IntrospectionError::Unreachable("down".to_owned())),
            _ => Ok(!over.lock().expect("not poisoned").contains(token)),
        };
        builder.introspection(answer).recorder(Ledger)
    })
}

fn api(verifier: &Verifier, policy: Policy) -> Router {
    let when_stale = match policy {
        Policy::FailClosed => WhenStale::FailClosed,
        Policy::AcceptUpTo => WhenStale::AcceptUpTo(ACCEPTED),
        Policy::Introspect | Policy::IntrospectInVain => WhenStale::Introspect,
    };
    let guard = Guard::when_stale(when_stale).and(Guard::allow_impersonation());
    Router::new()
        .route("/", any(|| async { "in" }))
        .layer(verifier.layer().guard(guard))
}

/// One run; how often something that was over was let in, within the bound.
async fn run(ended: &Ended, named: &[usize], before: bool, told: Told, policy: Policy) -> u32 {
    let mut world = World::new(policy);
    let tokens: Vec<String> = (0..PRESENTED.len())
        .map(|n| token(&world.issuer, n).mint())
        .collect();
    let committed = if before { 0 } else { COMMITTED };
    let mut let_in = 0;
    for step in 0..STEPS {
        if step + 1 == committed && matches!(told, Told::Partition(_) | Told::Restart(true)) {
            world.partition(true);
        }
        if step == committed {
            world.commit(told, ended, &tokens, named);
        }
        if let Told::Partition(steps) = told
            && step == committed + steps
        {
            world.partition(false);
        }
        if matches!(told, Told::Restart(_)) && step == committed + 1 {
            world.restart();
        }
        world.step(told == Told::Lost && step == committed).await;
        let case = format!("{ended:?}, before: {before}, {told:?}, {policy:?}, step {step}");
        let_in += world.look(&tokens, named, &case).await;
    }
    let_in
}

/// Every combination under one policy.
async fn holds_under(policy: Policy) {
    let mut let_in = [0; TOLD.len()];
    for (ended, named) in endings() {
        for before in [false, true] {
            for (n, told) in TOLD.into_iter().enumerate() {
                let_in[n] += run(&ended, named, before, told, policy).await;
            }
        }
    }
    let [at_once, lost, cut, brief, long, forever, restart, _] = let_in;
    assert_eq!(
        [at_once, lost, cut, restart],
        [0; 4],
        "told, and refused at once"
    );
    // The model is not empty: while nothing comes through, what is over is let in for a while.
    assert!(brief > 0 && long > 0 && forever > 0, "{let_in:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_over_is_let_in_after_the_bound_where_routes_fail_closed() {
    holds_under(Policy::FailClosed).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_over_is_let_in_after_the_bound_where_routes_accept_up_to_more() {
    holds_under(Policy::AcceptUpTo).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_over_is_let_in_after_the_bound_where_routes_introspect() {
    holds_under(Policy::Introspect).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_over_is_let_in_after_the_bound_where_routes_introspect_in_vain() {
    holds_under(Policy::IntrospectInVain).await;
}
