//! What lies in the database: the log, and the signing keys.

use std::sync::Arc;

use lanyard::app::App;
use lanyard::db::migrate::LOGINS;
use lanyard::keys::{self, MasterKey, MasterKeys};
use sqlx::{AssertSqlSafe, Error, Executor as _};

use crate::lab::cluster;
use crate::lab::server::MASTER;
use crate::lab::{Lab, cluster::tell};

/// AUD-01: no serving role reads, changes, deletes or writes an event but through `audit.append`.
#[tokio::test]
async fn no_role_touches_the_log_but_through_its_one_door() {
    let database = cluster::shared().await;
    let insert = "insert into audit.event (tenant_id, event_id, type, class, occurred_at,
        recorded_at, detail, mac) values (gen_random_uuid(), gen_random_uuid(), 'visit.listed',
        'patient', now(), now(), '{}', decode(repeat('00', 32), 'hex'))";
    for role in LOGINS {
        let mut login = database.login(role).await;
        for statement in [
            insert,
            "select from audit.event",
            "update audit.event set detail = '{}'",
            "delete from audit.event",
            "truncate audit.event",
            "drop table audit.event",
            "alter table audit.event disable trigger all",
            "alter table audit.event disable row level security",
            "insert into audit.event_type values ('deed.invented', 'tenant')",
            "drop function audit.append",
            "select from audit.archive",
            "insert into audit.entry (line) select line from audit.entry",
            "update audit.entry set line = ''",
            "delete from audit.entry",
            "truncate audit.entry",
            "drop table audit.entry_default",
            "select from audit.entry_default",
            "update audit.leaf set leaf_hash = ''",
            "delete from audit.node",
            "update audit.log set size = 0",
            "delete from audit.checkpoint",
            "delete from audit.disclosure",
            "delete from audit.log_key",
            "select audit.sequence(1)",
            "select audit.begin('sequence_log')",
            "set session_replication_role = replica",
        ] {
            match login.execute(AssertSqlSafe(statement.to_owned())).await {
                Err(Error::Database(refusal)) => {
                    assert_eq!(
                        refusal.code().as_deref(),
                        Some("42501"),
                        "{role}: {statement}"
                    );
                }
                other => panic!("{role}: {statement}: {other:?}"),
            }
        }
    }
}

/// CFG-04: a stored signing key opens under its own master key, in its own row, unaltered; else
/// nothing is served.
#[tokio::test]
async fn an_altered_or_moved_signing_key_keeps_the_server_from_starting() {
    let lab = Lab::apart(|_| ()).await;
    let mut boss = lab.database.superuser().await;
    let start = async |master: [u8; 32]| {
        let (config, env) = (lab.app.config.clone(), lab.app.env.clone());
        let db = lab.database.open(&env, 4).await;
        let master = Arc::new(MasterKeys::only(MasterKey::from_bytes(master)));
        let keys = keys::open(&db, &env, master).await.ok()?;
        App::new(config, env, db, keys).await.ok()
    };
    assert!(start(MASTER).await.is_some());
    assert!(start([43; 32]).await.is_none(), "another master key");
    tell(
        &mut boss,
        "create temp table kept as select * from identity.signing_key",
    )
    .await;
    for harm in [
        "private_sealed = set_byte(private_sealed, 20, get_byte(private_sealed, 20) # 1)",
        "private_sealed = (select k.private_sealed from kept k where k.kid <> s.kid limit 1)",
        "private_sealed = substr(private_sealed, 1, octet_length(private_sealed) - 1)",
        "private_sealed = ''",
    ] {
        tell(
            &mut boss,
            &format!("update identity.signing_key s set {harm}"),
        )
        .await;
        assert!(start(MASTER).await.is_none(), "{harm}");
        let mend = "update identity.signing_key s set private_sealed = k.private_sealed
                    from kept k where k.kid = s.kid";
        tell(&mut boss, mend).await;
        assert!(start(MASTER).await.is_some(), "mended after {harm}");
    }
}
