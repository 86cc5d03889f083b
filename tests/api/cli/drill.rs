//! The drills of docs/OPERATIONS.md, with the program itself: backup and restore, another master
//! key.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::Value;

use super::command::{Served, Site};
use crate::lab::Browser;

const PASSWORD: &str = "quiet river under seven bridges";
const NEWER: &str = "three lanterns on a wooden boat";
const ADA: &str = "ada@juniper.example";

fn browser(ready: &Value, number: u8) -> Browser {
    let listening = ready["listening"]["issuer"][0].as_str().unwrap();
    let at: SocketAddr = listening.parse().unwrap();
    let own = IpAddr::V4(Ipv4Addr::new(127, 100, 250, number));
    Browser::new(ready["issuer"].as_str().unwrap(), at, own)
}

fn set_up(site: &Site) {
    site.ask("keys init");
    site.ask_with("migrate", "migrate", "");
    site.ask("tenant create juniper --name Juniper");
    let create = "account create --password-stdin --name Ada --tenant juniper --role patient \
                  --login ada@juniper.example";
    site.ask_with(create, "account create", &format!("{PASSWORD}\n"));
}

/// Design §11, CFG-04: sign in, back up, change the password (which ends every session), restore.
/// `serve` refuses the restored database until it is recovered; then the session that came back is
/// void, the account is there with the password of the backup, and the keys open.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_database_is_refused_until_it_is_recovered() {
    let site = Site::new();
    set_up(&site);
    let mut served = Served::start(&site);
    let ada = browser(&served.next(), 1);
    ada.sign_in(ADA, PASSWORD).await.goes_to("/account");
    assert_eq!(ada.visit("/account").await.status, 200);

    site.ask_with("backup state/backup --keys state/kept", "backup", "");
    assert!(site.refuse("backup state/backup", 3).contains("already"));
    let recover = format!("account recover --login {ADA} --password-stdin");
    site.ask_with(&recover, "account recover", &format!("{NEWER}\n"));
    ada.visit("/account").await.page("Sign in to continue");
    assert_eq!(served.end(), Some(0));

    assert!(site.refuse("restore state/backup", 3).contains("not empty"));
    site.ask_with("restore state/backup --replace", "restore", "");
    let refused = site.refuse("serve", 3);
    assert!(refused.contains("recover --restored"), "{refused}");
    assert!(site.refuse("serve", 3).contains("behind"), "twice round");

    let section = "recover --restored";
    assert_eq!(site.ask_with(section, section, "")["epoch"], 2);
    let mut served = Served::start(&site);
    let ready = served.next();
    let old = ada.through(
        ready["listening"]["issuer"][0]
            .as_str()
            .unwrap()
            .parse()
            .unwrap(),
    );
    old.visit("/account").await.page("Sign in to continue");
    let again = browser(&ready, 2);
    again.sign_in(ADA, PASSWORD).await.goes_to("/account");
    assert_eq!(site.ask_with("doctor", "doctor", "")["may_serve"], true);
    assert_eq!(served.end(), Some(0));
}

/// Design §9: another master key under a server that serves; sessions go on, before and after a
/// restart with the new one alone. Keys rotate by one command.
#[tokio::test(flavor = "multi_thread")]
async fn another_master_key_and_other_signing_keys_end_no_session() {
    let site = Site::new();
    set_up(&site);
    let mut served = Served::start(&site);
    let ada = browser(&served.next(), 3);
    ada.sign_in(ADA, PASSWORD).await.goes_to("/account");
    assert!(site.refuse("keys rewrap", 3).contains("keys init --next"));
    site.ask("keys init --next");
    assert_eq!(site.ask("keys rewrap")["rewrapped"], 3);
    assert!(site.refuse("keys init --next", 3).contains("still there"));
    assert_eq!(site.ask("keys rewrap")["rewrapped"], 0, "repeatable");
    std::fs::remove_file(site.state().join("keys/master.previous.key")).unwrap();
    assert_eq!(ada.visit("/account").await.status, 200);
    let keys = site.ask("keys rotate");
    let next = keys
        .as_array()
        .unwrap()
        .iter()
        .find(|k| k["standing"] == "next");
    assert_eq!(next.unwrap()["becomes"], "current");
    site.ask_with("keys rotate --emergency ES256", "keys rotate", "");
    assert!(
        site.refuse("keys rotate --emergency none", 3)
            .contains("no signing key")
    );
    assert_eq!(ada.visit("/account").await.status, 200);
    assert_eq!(served.end(), Some(0));
    let mut served = Served::start(&site);
    let ready = served.next();
    let restarted = ada.through(
        ready["listening"]["issuer"][0]
            .as_str()
            .unwrap()
            .parse()
            .unwrap(),
    );
    assert_eq!(restarted.visit("/account").await.status, 200);
    assert_eq!(served.end(), Some(0));
}
