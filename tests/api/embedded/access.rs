//! Who may log in: the roles of the list, for the user that runs Lanyard.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use lanyard::db::embedded::{DATABASE, LOGINS, SUPERUSER};

use super::{
    Place, ask, boss,
    child::{Played, as_user, public_copy},
    ordinary_user::OrdinaryUser,
    run, started, tell,
};

/// Invalid authorization specification (PostgreSQL, appendix A).
const REFUSED: &str = "28000";

#[test]
fn the_roles_of_the_list_log_in_and_all_others_are_refused() {
    let place = Place::new();
    let cluster = started(&place);
    run(tell(
        &boss(&cluster),
        "create role stranger superuser login",
    ));
    for login in LOGINS.iter().filter(|login| **login != SUPERUSER) {
        let create = sqlx::AssertSqlSafe(format!("create role {login} login"));
        run(async {
            use sqlx::Connection as _;
            let connected = sqlx::PgConnection::connect_with(&boss(&cluster)).await;
            sqlx::raw_sql(create)
                .execute(&mut connected.unwrap())
                .await
                .unwrap();
        });
        let own = cluster.connect_options(login, DATABASE);
        assert_eq!(run(ask(&own, "select current_user::text")).unwrap(), *login);
    }
    for name in ["stranger", "postgres", "root", "nobody"] {
        let refused = run(ask(&cluster.connect_options(name, DATABASE), "select 'in'"));
        let refused = refused.unwrap_err().into_database_error().unwrap();
        assert_eq!(refused.code().as_deref(), Some(REFUSED), "{name}");
    }
    cluster.stop();
}

/// Needs root, to become somebody else.
#[test]
fn another_user_of_the_machine_can_neither_reach_the_socket_nor_pass_as_us() {
    let Some(other) = OrdinaryUser::make("lanyard-test-peer") else {
        return;
    };
    let place = Place::new();
    let cluster = started(&place);
    let binary = public_copy(&place.path);
    let attempt = || {
        let mut command: Command = as_user(&other.name);
        command.arg(&binary);
        Played::start_with(command, "connect", cluster.socket_dir())
            .rest()
            .join(" ")
    };
    let said = attempt();
    assert!(
        said.starts_with("no connection") && said.contains("denied"),
        "{said}"
    );

    // Even with the folder and the socket open to all, the kernel says who is calling.
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(cluster.socket_dir(), open.clone()).unwrap();
    fs::set_permissions(cluster.socket_dir().join(".s.PGSQL.5432"), open).unwrap();
    assert_eq!(attempt(), format!("refused {REFUSED}"));
    cluster.stop();
}
