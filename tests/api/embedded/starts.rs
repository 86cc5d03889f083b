//! The first start, the next one, and what they leave on the machine.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use lanyard::db::embedded::{attach_or_start, start};

use super::{Place, ask, boss, options, postmaster, run, started, tell};

#[test]
fn the_first_start_makes_a_cluster_and_the_next_one_finds_it_again() {
    let place = Place::new();
    let first = started(&place);
    assert!(first.major() >= 15);
    run(tell(
        &boss(&first),
        "create table kept as select 'yes' as answer",
    ));
    first.stop();
    let second = started(&place);
    assert_eq!(
        run(ask(&boss(&second), "select answer from kept")).unwrap(),
        "yes"
    );
    second.stop();
    assert!(
        !place.options().base.join("data/postmaster.pid").exists(),
        "a clean stop"
    );
}

/// design.md §11: an acknowledged write survives any crash.
#[test]
fn durability_is_on_and_statements_with_data_stay_out_of_the_log() {
    let place = Place::new();
    let cluster = started(&place);
    let settings = [
        ("select current_setting('fsync')", "on"),
        ("select current_setting('full_page_writes')", "on"),
        ("select current_setting('synchronous_commit')", "on"),
        ("select current_setting('data_checksums')", "on"),
        ("select current_setting('listen_addresses')", ""),
        ("select current_setting('log_min_error_statement')", "panic"),
        (
            "select current_setting('log_parameter_max_length_on_error')",
            "0",
        ),
        ("select current_setting('unix_socket_permissions')", "0700"),
        ("select current_setting('server_encoding')", "UTF8"),
    ];
    for (query, expected) in settings {
        assert_eq!(
            run(ask(&boss(&cluster), query)).unwrap(),
            expected,
            "{query}"
        );
    }
    let secret = "select 'Wilhelmina Ott'::integer::text";
    assert!(run(ask(&boss(&cluster), secret)).is_err());
    cluster.stop();
    let log = fs::read_to_string(place.options().base.join("postgres.log")).unwrap();
    assert!(log.contains("ready to accept connections"), "{log}");
    assert!(!log.contains("Wilhelmina"), "{log}");
}

#[test]
fn nothing_listens_but_a_socket_in_a_private_folder() {
    let place = Place::new();
    let cluster = started(&place);
    let mode = fs::metadata(cluster.socket_dir())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(cluster.socket_dir().join(".s.PGSQL.5432").exists());
    let held = sockets_of(postmaster(cluster.data_dir()));
    assert!(!held.is_empty());
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let table = fs::read_to_string(table).unwrap_or_default();
        let mut inodes = table
            .lines()
            .filter_map(|line| line.split_whitespace().nth(9));
        assert!(!inodes.any(|inode| held.iter().any(|ours| ours == inode)));
    }
    cluster.stop();
}

fn sockets_of(pid: i32) -> Vec<String> {
    let fds = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let links = fds.filter_map(|fd| fs::read_link(fd.path()).ok());
    links
        .filter_map(|link| {
            let link = link.to_string_lossy().into_owned();
            Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect()
}

#[test]
fn a_command_uses_the_running_cluster_and_leaves_it_running() {
    let place = Place::new();
    let served = started(&place);
    let attached = attach_or_start(&place.options()).unwrap();
    assert!(attached.is_shared());
    assert_eq!(attached.socket_dir(), served.socket_dir());
    attached.stop();
    assert_eq!(run(ask(&boss(&served), "select 'here'")).unwrap(), "here");
    served.stop();
}

#[test]
fn a_command_without_a_running_cluster_starts_one_for_itself() {
    let place = Place::new();
    let attached = attach_or_start(&place.options()).unwrap();
    assert!(!attached.is_shared());
    let options = attached.connect_options("lanyard_bootstrap", "lanyard");
    assert_eq!(
        run(ask(&options, "select current_database()::text")).unwrap(),
        "lanyard"
    );
    attached.stop();
    started(&place).stop();
}

/// unix(7): a socket's address holds 108 bytes.
#[test]
fn a_path_too_long_for_a_socket_gets_a_private_folder_elsewhere() {
    let place = Place::new();
    let base = place.path.join("long".repeat(30)).join("postgres");
    let first = start(&options(&base)).unwrap();
    let socket_dir = first.socket_dir().to_path_buf();
    assert!(!socket_dir.starts_with(&base));
    let attached = attach_or_start(&options(&base)).unwrap();
    assert_eq!(
        attached.socket_dir(),
        socket_dir,
        "a command finds it by the record"
    );
    first.stop();

    let again = start(&options(&base)).unwrap();
    assert_eq!(
        again.socket_dir(),
        socket_dir,
        "the next start uses it again"
    );
    again.stop();

    open_to_all(&socket_dir);
    let wary = start(&options(&base)).unwrap();
    assert_ne!(
        wary.socket_dir(),
        socket_dir,
        "one that is not private any more is left alone"
    );
    fs::remove_dir_all(&socket_dir).unwrap();
    let socket_dir = wary.socket_dir().to_path_buf();
    wary.stop();
    fs::remove_dir_all(socket_dir).unwrap();
}

fn open_to_all(dir: &Path) {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
}
