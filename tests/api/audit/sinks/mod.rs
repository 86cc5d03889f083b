//! Entries as they come to systems that watch many others.

mod receivers;

use std::collections::BTreeMap;

use lanyard::audit::log::Logs;
use lanyard::audit::sinks::{self, Address, Form, NewSink, Sink, SinkId, Sinks};
use lanyard::ids::TenantId;
use serde_json::Value;
use time::Duration;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{lab, lines};
use crate::lab::Lab;
use crate::lab::cluster::tell;
use crate::lab::server::START;
use receivers::{Collector, Mood, SECRET, Stream};

const TENANT: Uuid = Uuid::from_u128(0xa);
const OTHER: Uuid = Uuid::from_u128(0xb);

/// Events of a clinic's, in its log.
async fn plant(lab: &Lab, tenant: Uuid, count: u32) {
    let sql = format!(
        "insert into audit.event (tenant_id, event_id, type, class, occurred_at, recorded_at,
           detail, mac)
         select '{tenant}', gen_random_uuid(), 'token.issued', 'grant', clock_timestamp(),
           clock_timestamp(), jsonb_build_object('number', n), sha256('mac')
         from generate_series(1, {count}) n"
    );
    tell(&mut lab.database.superuser().await, &sql).await;
    Logs::of(&lab.app).sequence().await.unwrap();
}

fn sinks(lab: &Lab) -> Sinks<'_> {
    let app = &lab.app;
    Sinks {
        db: &app.db,
        env: &app.env,
        keys: &app.keys,
        issuer: &app.config.issuer,
    }
}

fn to(address: &str, tenant: Uuid) -> NewSink {
    NewSink {
        tenant: TenantId::from_uuid(tenant),
        address: Address::parse(address).unwrap(),
        form: Form::Line,
        authority: None,
        secret: None,
        from: Some(0),
    }
}

async fn add(lab: &Lab, new: NewSink) -> SinkId {
    let (id, _) = sinks(lab).add(&new).await.unwrap();
    id
}

/// Sends every sink what it lacks, and waits until that is over.
async fn forward(lab: &Lab) {
    let mut running = JoinSet::new();
    sinks::forward(&lab.app, &mut running).await.unwrap();
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}

async fn standing(lab: &Lab, id: SinkId) -> Sink {
    let all = sinks(lab).list(None).await.unwrap();
    all.into_iter().find(|sink| sink.id == id).unwrap()
}

fn index(line: &str) -> i64 {
    serde_json::from_str::<Value>(line).unwrap()["index"]
        .as_i64()
        .unwrap()
}

/// Issue 4, SIEM: everything comes, in order, in batches, with the secret; what was lost with an
/// answer comes again as it was; an outage loses nothing, and is told of.
#[tokio::test]
async fn a_collector_gets_every_entry_in_order_through_outages_and_lost_answers() {
    let lab = lab().await;
    plant(&lab, TENANT, 1200).await;
    let collector = Collector::begin().await;
    let mut new = to(&collector.address(), TENANT);
    new.secret = Some(SECRET.into());
    let id = add(&lab, new).await;
    let stored: String = sqlx::query_scalar("select s::text from audit.sink s")
        .fetch_one(&mut lab.database.superuser().await)
        .await
        .unwrap();
    assert!(!stored.contains(&hex::encode(SECRET)), "{stored}");
    forward(&lab).await;
    let log = lines(&lab.database, TENANT).await;
    assert_eq!(collector.lines(), log);
    assert_eq!(collector.batches(), [500, 500, 200]);
    assert_eq!(standing(&lab, id).await.behind, 0);

    // Its own addition was an event, and is an entry now. The collector is down.
    plant(&lab, TENANT, 5).await;
    collector.is(Mood::Down);
    for failures in 1..=3 {
        forward(&lab).await;
        let sink = standing(&lab, id).await;
        assert_eq!((sink.failures, sink.next_index), (failures, 1200));
        assert_eq!(sink.failure.as_deref(), Some("refused_503"));
        assert_eq!((sink.behind, sink.failing_since), (6, Some(START)));
        // Not due yet: nothing is tried.
        let tried = collector.tried();
        forward(&lab).await;
        assert_eq!(collector.tried(), tried);
        lab.clock.advance(Duration::seconds(1 << failures));
    }
    sinks::measure(&lab.app).await.unwrap();
    assert_eq!(lab.app.sinks.sinks(), (0, 1));
    assert_eq!(lab.app.sinks.lag(lab.now()).0, 6);
    // It takes the next batch, and its answer gets lost.
    collector.is(Mood::Mute);
    lab.clock.advance(Duration::minutes(5));
    forward(&lab).await;
    assert_eq!(standing(&lab, id).await.next_index, 1200);
    collector.is(Mood::Well);
    lab.clock.advance(Duration::minutes(5));
    forward(&lab).await;
    let sink = standing(&lab, id).await;
    assert_eq!((sink.failures, sink.failure, sink.behind), (0, None, 0));

    let log = lines(&lab.database, TENANT).await;
    let mut seen = BTreeMap::new();
    for line in collector.lines() {
        let before = seen.insert(index(&line), line.clone());
        assert!(
            before.is_none_or(|before| before == line),
            "a resend is the same"
        );
    }
    assert_eq!(
        collector.lines().len(),
        log.len() + 6,
        "one batch came twice"
    );
    assert_eq!(seen.into_values().collect::<Vec<_>>(), log);
    sinks::measure(&lab.app).await.unwrap();
    assert_eq!(lab.app.sinks.sinks(), (1, 0));
    assert_eq!(lab.app.sinks.lag(lab.now()), (0, Duration::ZERO));
}

/// Issue 4, SIEM: the sender ends while the collector has a batch in its hands; another goes on
/// where the cursor is, and nothing is missing. Two at once are one.
#[tokio::test]
async fn a_sender_that_is_killed_loses_nothing() {
    let lab = lab().await;
    plant(&lab, TENANT, 700).await;
    let collector = Collector::begin().await;
    let id = add(&lab, to(&collector.address(), TENANT)).await;
    collector.is(Mood::Thinking);
    let mut running = JoinSet::new();
    sinks::forward(&lab.app, &mut running).await.unwrap();
    collector.has_been_asked().await;
    running.shutdown().await;
    assert_eq!(standing(&lab, id).await.next_index, 0);
    collector.is(Mood::Well);

    let other = lab.second_node().await;
    forward(&other).await;
    assert_eq!(
        collector.tried(),
        1,
        "it is in the other's hand for a minute"
    );
    lab.clock.advance(Duration::minutes(1));
    tokio::join!(forward(&lab), forward(&other));
    let log = lines(&lab.database, TENANT).await;
    let sent = collector.lines();
    assert_eq!(sent[500..], log, "the killed one's batch came again");
    assert_eq!(sent[..500], log[..500]);
    assert_eq!(standing(&lab, id).await.behind, 0);
}

/// Issue 4, SIEM: a sink that fails is told of, and stops no other; what is not there any more is
/// not passed over.
#[tokio::test]
async fn one_that_fails_stops_no_other_and_no_gap_is_sent() {
    let lab = lab().await;
    plant(&lab, TENANT, 20).await;
    plant(&lab, OTHER, 30).await;
    let (dead, well) = (Collector::begin().await, Collector::begin().await);
    let address = dead.address();
    drop(dead);
    let dead = add(&lab, to(&address, TENANT)).await;
    let mut ocsf = to(&well.address(), OTHER);
    ocsf.form = Form::Ocsf;
    let live = add(&lab, ocsf).await;
    forward(&lab).await;
    let sink = standing(&lab, dead).await;
    assert_eq!(
        (sink.failure.as_deref(), sink.next_index),
        (Some("unreachable"), 0)
    );
    assert_eq!(standing(&lab, live).await.behind, 0);
    let events = well.events();
    let places: Vec<_> = events
        .iter()
        .map(|e| e["metadata"]["sequence"].as_i64())
        .collect();
    assert_eq!(places, (0..30).map(Some).collect::<Vec<_>>());
    assert!(events.iter().all(|event| event["class_uid"] == 3002));

    // The lab's log goes on, and somebody takes an entry out.
    plant(&lab, OTHER, 3).await;
    let mut boss = lab.database.superuser().await;
    let gone = format!("delete from audit.entry where tenant_id = '{OTHER}' and leaf_index = 31");
    tell(&mut boss, &gone).await;
    forward(&lab).await;
    let sink = standing(&lab, live).await;
    assert_eq!(
        (sink.failure.as_deref(), sink.next_index),
        (Some("entry_is_gone"), 30)
    );
    assert_eq!(well.events().len(), 30);
    // Whoever has the job's rights can't turn the cursor back.
    let back = "update audit.sink set next_index = 0 returning ''";
    let refused = super::as_job(&lab.database, "lanyard_platform", "forward_log", back).await;
    assert_eq!(refused, Err("42501".to_owned()));
}

/// More sinks than are taken at once, all of which always lack something: who had a turn is behind
/// who had none, whatever came of it.
#[tokio::test]
async fn whoever_had_no_turn_is_next() {
    const AT_ONCE: i64 = 32;
    let lab = lab().await;
    plant(&lab, TENANT, 1).await;
    let collector = Collector::begin().await;
    collector.is(Mood::Thinking);
    for _ in 0..AT_ONCE {
        add(&lab, to(&collector.address(), TENANT)).await;
    }
    lab.clock.advance(Duration::SECOND);
    let last = add(&lab, to(&collector.address(), TENANT)).await;
    let mut boss = lab.database.superuser().await;
    for is_its_turn in [false, true] {
        // Nobody has one in his hand any more.
        lab.clock.advance(Duration::minutes(1));
        let mut running = JoinSet::new();
        sinks::forward(&lab.app, &mut running).await.unwrap();
        running.shutdown().await;
        let taken: (i64, bool) = sqlx::query_as(
            "select count(*), bool_or(sink_id = $1) from audit.sink where taken_until > $2",
        )
        .bind(last)
        .bind(lab.now())
        .fetch_one(&mut boss)
        .await
        .unwrap();
        assert_eq!(taken, (AT_ONCE, is_its_turn));
    }
}

/// Issue 4, SIEM: messages of RFC 5424 in octets counted (RFC 5425 §4.3), each with its entry's
/// line as it is; over TLS to whom the operator believes, and to nobody else.
#[tokio::test]
async fn a_syslog_collector_gets_every_line_as_it_is() {
    let lab = lab().await;
    plant(&lab, TENANT, 600).await;
    let plain = Stream::begin(false).await;
    let id = add(&lab, to(&plain.address(), TENANT)).await;
    plain.resets(true);
    forward(&lab).await;
    let sink = standing(&lab, id).await;
    assert_eq!(
        (sink.failure.as_deref(), sink.next_index),
        (Some("cut_off"), 0)
    );
    plain.resets(false);
    lab.clock.advance(Duration::minutes(1));
    forward(&lab).await;
    let log = lines(&lab.database, TENANT).await;
    let messages = plain.messages();
    assert_eq!(messages.len(), log.len());
    for (place, (message, line)) in messages.iter().zip(&log).enumerate() {
        let (head, said) = message.split_once("] {").unwrap();
        assert_eq!(&format!("{{{said}"), line);
        assert!(
            head.starts_with("<110>1 2") && head.contains(" localhost lanyard - "),
            "{head}"
        );
        let sequence = format!("sequenceId=\"{}\"", place + 1);
        assert!(head.contains(&sequence), "{head}");
    }
    assert_eq!(standing(&lab, id).await.behind, 0);

    let sealed = Stream::begin(true).await;
    let mut believed = to(&sealed.address(), TENANT);
    believed.authority = Some(sealed.authority.clone());
    let (believed, stranger) = (add(&lab, believed).await, to(&sealed.address(), TENANT));
    let stranger = add(&lab, stranger).await;
    forward(&lab).await;
    Logs::of(&lab.app).sequence().await.unwrap();
    lab.clock.advance(Duration::minutes(1));
    forward(&lab).await;
    assert_eq!(standing(&lab, believed).await.behind, 0);
    let sink = standing(&lab, stranger).await;
    assert_eq!(
        (sink.failure.as_deref(), sink.next_index),
        (Some("no_tls"), 0)
    );
    let log = lines(&lab.database, TENANT).await;
    assert_eq!(sealed.messages().len(), log.len());
}
