//! `kill -9` of either process, at awkward moments (design.md §11, "Nothing lost").

use std::fs;

use lanyard::db::embedded::{EmbeddedError, start};

use super::{Place, ask, boss, child::Played, kill, postmaster, rows, run, started, tell, until};

#[test]
fn killing_our_process_ends_postgres_and_loses_no_acknowledged_row() {
    let place = Place::new();
    let base = place.options().base;
    let mut child = Played::start("write", &base);
    assert_eq!(child.next().as_deref(), Some("up"));
    let server = postmaster(&base.join("data"));
    let acknowledged = child.kill_after_rows(20);
    until(|| fs::read_link(format!("/proc/{server}/exe")).is_err());
    let cluster = started(&place);
    assert!(rows(&cluster) >= acknowledged);
    cluster.stop();
}

#[test]
fn a_start_right_after_the_kill_waits_for_the_old_server_and_succeeds() {
    let place = Place::new();
    let mut acknowledged = 0;
    for _ in 0..3 {
        let mut child = Played::start("write", &place.options().base);
        assert_eq!(child.next().as_deref(), Some("up"));
        if acknowledged > 0 {
            child.kill();
        } else {
            acknowledged = child.kill_after_rows(20);
        }
    }
    let cluster = started(&place);
    assert!(rows(&cluster) >= acknowledged);
    cluster.stop();
}

#[test]
fn killing_postgres_is_noticed_and_loses_no_acknowledged_row() {
    let place = Place::new();
    let cluster = started(&place);
    run(tell(
        &boss(&cluster),
        "create table kept as select 'yes' as answer",
    ));
    let exited = cluster.exited();
    kill(postmaster(cluster.data_dir()));
    let ended = run(exited);
    assert!(ended.status.contains('9'), "{ended:?}");
    cluster.stop();
    let again = started(&place);
    assert_eq!(
        run(ask(&boss(&again), "select answer from kept")).unwrap(),
        "yes"
    );
    again.stop();
}

#[test]
fn killing_both_at_once_is_recovered_from() {
    let place = Place::new();
    let base = place.options().base;
    let mut child = Played::start("write", &base);
    assert_eq!(child.next().as_deref(), Some("up"));
    let server = postmaster(&base.join("data"));
    let acknowledged = child.kill_after_rows(20);
    // It may have heard of its parent's end already and be gone.
    if let Some(pid) = rustix::process::Pid::from_raw(server) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    let cluster = started(&place);
    assert!(rows(&cluster) >= acknowledged);
    cluster.stop();
}

/// `initdb` writes `PG_VERSION` first: its presence proves nothing.
#[test]
fn a_first_start_killed_half_way_is_done_again() {
    let place = Place::new();
    let base = place.options().base;
    let child = Played::start("write", &base);
    until(|| base.join("data.new/PG_VERSION").exists());
    child.kill();
    assert!(!base.join("data").exists());
    let cluster = started(&place);
    assert_eq!(
        run(ask(&boss(&cluster), "select 'whole'")).unwrap(),
        "whole"
    );
    assert!(!base.join("data.new").exists());
    cluster.stop();
}

#[test]
fn a_stale_pid_file_that_names_a_living_stranger_does_not_stop_the_start() {
    let place = Place::new();
    started(&place).stop();
    let data = place.options().base.join("data");
    let stranger = std::process::id();
    let stale = format!("{stranger}\n{}\n1\n5432\n\n\n1 1\nready\n", data.display());
    fs::write(data.join("postmaster.pid"), stale).unwrap();
    started(&place).stop();
}

#[test]
fn a_second_instance_is_refused_and_the_first_goes_on() {
    let place = Place::new();
    let first = started(&place);
    let refused = start(&place.options());
    assert!(
        matches!(refused, Err(EmbeddedError::InUse { .. })),
        "{refused:?}"
    );
    assert_eq!(run(ask(&boss(&first), "select 'here'")).unwrap(), "here");
    first.stop();
    started(&place).stop();
}
