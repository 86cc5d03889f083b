//! The same tests once more, as a user without privileges.

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

#[test]
fn all_of_it_holds_for_an_ordinary_user_too() {
    let Some(user) = OrdinaryUser::make("lanyard-test") else {
        return;
    };
    let place = Place::new();
    let output = as_user(&user.name)
        .arg(public_copy(&place.path))
        .args(["embedded::", "--test-threads=2"])
        .current_dir("/")
        .env_remove("XDG_RUNTIME_DIR")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("killing_our_process_ends_postgres"),
        "they ran: {said}"
    );
}
