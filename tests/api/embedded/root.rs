//! Root gives itself up. These need root, and do nothing without it.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    process::Command,
};

use lanyard::db::embedded::{privilege, start};

use super::{Place, child::Played, options, postmaster, started, until};

fn user_id(name: &str) -> u32 {
    let output = Command::new("id").args(["-u", name]).output().unwrap();
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .unwrap()
}

fn owner(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().uid()
}

#[test]
fn postgres_started_by_root_runs_as_the_system_user() {
    if !privilege::is_root() {
        return;
    }
    let place = Place::new();
    let cluster = started(&place);
    let lanyard = user_id(privilege::SYSTEM_USER);
    assert_ne!(lanyard, 0);
    let server = postmaster(cluster.data_dir());
    assert_eq!(owner(Path::new(&format!("/proc/{server}"))), lanyard);
    assert_eq!(owner(cluster.data_dir()), lanyard);
    assert_eq!(owner(cluster.socket_dir()), lanyard);
    assert_eq!(
        owner(&place.options().base),
        0,
        "what root writes lies where only root can"
    );
    cluster.stop();
}

#[test]
fn the_program_goes_on_as_the_system_user_with_no_right_of_roots() {
    if !privilege::is_root() {
        return;
    }
    let place = Place::new();
    let state = place.path.join("state");
    let said = Played::start("drop", &state).rest();
    let lanyard = user_id(privilege::SYSTEM_USER);
    assert!(said.contains(&format!("user {lanyard}")), "{said:?}");
    assert!(
        said.contains(&"CapEff: 0000000000000000".to_owned()),
        "{said:?}"
    );
    assert!(said.contains(&"Groups:".to_owned()), "{said:?}");
    assert!(said.contains(&"carried /kept".to_owned()), "{said:?}");
    assert!(said.contains(&format!("program {}", state.join("bin/lanyard").display())));
    assert_eq!(owner(&state.join("bin")), 0);
    assert_eq!(owner(&state.join("bin/lanyard")), 0);
    assert_eq!(fs::metadata(&state).unwrap().mode() & 0o7777, 0o1770);
    let again = Played::start("drop", &state).rest();
    assert_eq!(again, said, "a second time, with everything in place");
}

/// The whole of it, as `serve` does it: root starts it, the system user runs it and its cluster,
/// and a kill takes both.
#[test]
fn a_cluster_under_the_state_folder_belongs_to_the_system_user_and_dies_with_it() {
    if !privilege::is_root() {
        return;
    }
    let place = Place::new();
    let state = place.path.join("state");
    let mut child = Played::start("drop and write", &state);
    assert_eq!(child.next().as_deref(), Some("up"));
    let base = state.join("postgres");
    let server = postmaster(&base.join("data"));
    assert_eq!(owner(&base), user_id(privilege::SYSTEM_USER));
    let acknowledged = child.kill_after_rows(5);
    assert!(acknowledged >= 5);
    until(|| fs::read_link(format!("/proc/{server}/exe")).is_err());

    let said = start(&options(&base)).unwrap_err().to_string();
    assert!(
        said.contains("belongs to user id"),
        "root itself keeps off: {said}"
    );
    let mut again = Played::start("drop and write", &state);
    assert_eq!(again.next().as_deref(), Some("up"), "and it starts again");
    let server = postmaster(&base.join("data"));
    again.kill();
    until(|| fs::read_link(format!("/proc/{server}/exe")).is_err());
}

#[test]
fn a_working_folder_that_the_system_user_cannot_read_is_left() {
    if !privilege::is_root() {
        return;
    }
    let place = Place::new();
    let (state, hidden) = (place.path.join("state"), place.path.join("hidden"));
    fs::create_dir(&hidden).unwrap();
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.current_dir(&hidden);
    let said = Played::start_with(command, "drop", &state).rest();
    assert!(
        said.contains(&format!("folder {}", state.display())),
        "{said:?}"
    );
}

#[test]
fn still_being_root_after_the_change_is_an_error_and_no_loop() {
    if !privilege::is_root() {
        return;
    }
    let place = Place::new();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("LANYARD_DROPPED_ROOT", "1");
    let said = Played::start_with(command, "drop", &place.path.join("state")).rest();
    assert!(said.concat().starts_with("error "), "{said:?}");
}

#[test]
fn a_program_folder_that_is_a_link_is_refused_by_root() {
    if !privilege::is_root() {
        return;
    }
    let place = Place::new();
    let (state, elsewhere) = (place.path.join("state"), place.path.join("elsewhere"));
    fs::create_dir(&state).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, state.join("bin")).unwrap();
    let said = Played::start("drop", &state).rest();
    assert!(said.concat().starts_with("error "), "{said:?}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn a_folder_of_another_user_is_refused_by_root() {
    if !privilege::is_root() {
        return;
    }
    let place = Place::new();
    let base = place.options().base;
    fs::create_dir(&base).unwrap();
    std::os::unix::fs::chown(&base, Some(65534), Some(65534)).unwrap();
    let said = start(&options(&base)).unwrap_err().to_string();
    assert!(said.contains("belongs to user id 65534"), "{said}");
    assert_eq!(fs::read_dir(&base).unwrap().count(), 0);
}
