//! What differs for a user without privileges, once more as one.

use std::process::{Command, Stdio};

use lanyard::db::embedded::privilege;

use super::{
    Place,
    child::{as_user, public_copy},
};

/// A user made for one test and removed after it.
pub(super) struct OrdinaryUser {
    pub(super) name: String,
}

impl OrdinaryUser {
    /// `None` unless we are root.
    pub(super) fn make(name: &str) -> Option<Self> {
        if !privilege::is_root() {
            return None;
        }
        let name = format!("{name}-{}", std::process::id());
        let args = [
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            "/nonexistent",
        ];
        let made = Command::new("useradd")
            .args(args)
            .arg(&name)
            .status()
            .unwrap();
        assert!(made.success());
        Some(Self { name })
    }
}

impl Drop for OrdinaryUser {
    fn drop(&mut self) {
        let quiet = Stdio::null();
        let _ = Command::new("userdel")
            .arg(&self.name)
            .stderr(quiet)
            .status();
    }
}

/// The tests whose course depends on who runs PostgreSQL; the others would only take time.
const OF_INTEREST: [&str; 8] = [
    "access::the_roles_of_the_list_log_in",
    "crashes::a_second_instance_is_refused",
    "crashes::killing_our_process_ends_postgres",
    "crashes::killing_postgres_is_noticed",
    "refusals::a_data_folder_that_we_did_not_make",
    "starts::a_path_too_long_for_a_socket",
    "starts::nothing_listens_but_a_socket",
    "starts::the_first_start_makes_a_cluster",
];

#[test]
fn all_of_it_holds_for_an_ordinary_user_too() {
    let Some(user) = OrdinaryUser::make("lanyard-test") else {
        return;
    };
    let place = Place::new();
    let output = as_user(&user.name)
        .arg(public_copy(&place.path))
        .args(OF_INTEREST.map(|name| format!("embedded::{name}")))
        .arg("--test-threads=2")
        .current_dir("/")
        .env_remove("XDG_RUNTIME_DIR")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("running 8 tests"),
        "each name names a test: {said}"
    );
}
