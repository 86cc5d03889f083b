//! `lanyard audit hold`, `archive` and `expire`: how long entries stay.

use std::fs;

use sqlx::{Connection as _, PgConnection};

use super::server::Server;
use crate::lab::cluster::tell;

/// AUD-12: what is old is written down, verified, held or dropped, each by a command of its own and
/// none before its time; what was dropped is still what it was.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_is_archived_held_and_dropped_by_commands() {
    let server = Server::start();
    let site = server.site();
    site.ask_with("migrate", "migrate", "");
    let clinic = site.ask("tenant create juniper --name Juniper");
    let clinic = clinic["tenant_id"].as_str().unwrap();
    let mut boss = PgConnection::connect(&server.url).await.unwrap();
    tell(
        &mut boss,
        "select audit.make_partition('2019-01-01'::timestamp)",
    )
    .await;
    let old = format!(
        "insert into audit.event (tenant_id, event_id, type, class, occurred_at, recorded_at,
           detail, mac)
         select '{clinic}', gen_random_uuid(), 'token.issued', 'grant', at, at, '{{}}', sha256('m')
         from generate_series(1, 300) n,
           lateral (select '2019-01-05T00:00:00Z'::timestamptz + n * interval '1 minute') t (at)"
    );
    tell(&mut boss, &old).await;
    let folder = site.state().join("archive");
    let expire = "audit expire --before 2019-02";
    let archive = format!("audit archive {} --before 2019-02", folder.display());
    site.run("audit tail --tenant juniper");
    assert!(site.refuse(expire, 3).contains("not archived"));
    let made = site.ask_with(&archive, "audit archive", "");
    let [made] = &made["archives"].as_array().unwrap()[..] else {
        panic!("{made}");
    };
    assert_eq!((&made["log"], &made["from"]), (&clinic.into(), &0.into()));
    assert_eq!(made["to"], 300);
    let file = made["file"].as_str().unwrap();
    let text = fs::read_to_string(file).unwrap();
    let header: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let verify = format!(
        "audit verify {file} --key {}",
        header["keys"][0].as_str().unwrap()
    );
    assert!(site.run(&verify).status.success());

    fs::write(file, text.replacen("token.issued", "token.tissue", 1)).unwrap();
    let refused = site.refuse(&archive, 3);
    assert!(refused.contains("no whole archive"), "{refused}");
    fs::write(file, &text).unwrap();
    site.ask_with(&archive, "audit archive", "");

    let add = "audit hold add --tenant juniper --matter 2026-CV-0417";
    let held = site.ask_with(add, "audit hold add", "");
    let id = held["hold_id"].as_str().unwrap();
    assert!(site.refuse(expire, 3).contains("legal hold"));
    site.refuse("audit hold add --tenant juniper --matter of~Ada", 2);
    let listed = site.ask_with("audit hold list --tenant juniper", "audit hold list", "");
    assert_eq!(listed[0]["matter"], "2026-CV-0417");
    let release = format!("audit hold release {id} --tenant juniper");
    assert_eq!(
        site.ask_with(&release, "audit hold release", "")["released"],
        true
    );
    assert!(site.refuse(&release, 3).contains("no hold"));

    assert!(
        site.refuse("audit expire --before 2026-01", 3)
            .contains("six years")
    );
    site.refuse("audit expire --before 2019", 2);
    let dropped = site.ask_with(expire, "audit expire", "");
    assert_eq!(dropped["months"], serde_json::json!(["entry_2019_01"]));
    let left = site.ask_with(&archive, "audit archive", "");
    assert_eq!(left["archives"], serde_json::json!([]));
    assert!(
        site.run(&verify).status.success(),
        "the archive is what it was"
    );

    for (log, kinds) in [
        (
            "juniper",
            ["audit.archived", "hold.placed", "hold.lifted"].as_slice(),
        ),
        ("platform", ["audit.expired"].as_slice()),
    ] {
        let told = site.run(&format!("audit tail --tenant {log} --last 100"));
        let told = String::from_utf8(told.stdout).unwrap();
        for kind in kinds {
            assert!(
                told.contains(&format!("\"type\":\"{kind}\"")),
                "{kind}: {told}"
            );
        }
    }
}
