//! The drills of docs/OPERATIONS.md, with the program itself: backup and restore, another master
//! key. Each on a private cluster and on a server of the operator's own.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::command::{Served, Site};
use super::honest::{Crowd, Honest, browser, issuer_at};
use super::server::Server;

const PASSWORD: &str = "quiet river under seven bridges";
const NEWER: &str = "three lanterns on a wooden boat";
const ADA: &str = "ada@juniper.example";

fn set_up(site: &Site) {
    site.ask_with("migrate", "migrate", "");
    site.ask("tenant create juniper --name Juniper");
    let create = "account create --password-stdin --name Ada --tenant juniper --role patient \
                  --login ada@juniper.example";
    site.ask_with(create, "account create", &format!("{PASSWORD}\n"));
}

/// On a private cluster.
fn private() -> Site {
    let site = Site::new();
    site.ask("keys init");
    set_up(&site);
    site
}

/// On a server that `DATABASE_URL` names.
fn own() -> (Server, Site) {
    let server = Server::start();
    let site = server.site();
    set_up(&site);
    (server, site)
}

/// Design §11, CFG-04.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_database_is_refused_until_it_is_recovered() {
    restore(&private()).await;
}

/// Design §11, CFG-04.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_server_of_ones_own_is_refused_until_it_is_recovered() {
    let (_server, site) = own();
    restore(&site).await;
}

/// Sign in, back up, change the password (which ends every session), restore. `serve` refuses the
/// restored database until it is recovered; then the session that came back is void, the account
/// is there with the password of the backup, and the keys open.
async fn restore(site: &Site) {
    let mut served = Served::start(site);
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
    let mut served = Served::start(site);
    let ready = served.next();
    let old = ada.through(issuer_at(&ready));
    old.visit("/account").await.page("Sign in to continue");
    let again = browser(&ready, 2);
    again.sign_in(ADA, PASSWORD).await.goes_to("/account");
    assert_eq!(site.ask_with("doctor", "doctor", "")["may_serve"], true);
    assert_eq!(served.end(), Some(0));
}

/// Design §9.
#[tokio::test(flavor = "multi_thread")]
async fn another_master_key_and_other_signing_keys_end_no_session() {
    change_keys(&private()).await;
}

/// Design §9.
#[tokio::test(flavor = "multi_thread")]
async fn another_master_key_over_a_server_of_ones_own_ends_no_session() {
    let (_server, site) = own();
    change_keys(&site).await;
}

/// Another master key under a server that serves, while four apps refresh as fast as they are
/// answered: no request is refused, before, while and after, nor after a restart with the new key
/// alone. The old one opens nothing any more. Signing keys rotate by one command, under the same
/// load.
async fn change_keys(site: &Site) {
    let mut served = Served::start(site);
    let ready = served.next();
    let ada = browser(&ready, 3);
    ada.sign_in(ADA, PASSWORD).await.goes_to("/account");
    let mut clients = Vec::new();
    for (kind, id) in [
        ("web", "web-one"),
        ("web", "web-two"),
        ("spa", "spa-one"),
        ("spa", "spa-two"),
    ] {
        clients.push(Honest::enter(site, kind, id, &ada).await);
    }
    let mut crowd = Crowd::of(clients);
    crowd.goes_on().await;
    assert!(site.refuse("keys rewrap", 3).contains("keys init --next"));
    site.ask("keys init --next");
    crowd.goes_on().await;
    assert_eq!(site.ask("keys rewrap")["rewrapped"], 3);
    crowd.goes_on().await;
    assert!(site.refuse("keys init --next", 3).contains("still there"));
    assert_eq!(site.ask("keys rewrap")["rewrapped"], 0, "repeatable");
    let old = folder_of_the_old_key(site);
    std::fs::remove_file(site.state().join("keys/master.previous.key")).unwrap();
    crowd.goes_on().await;
    assert_eq!(ada.visit("/account").await.status, 200);
    rotate(site);
    crowd.goes_on().await;
    assert_eq!(ada.visit("/account").await.status, 200);
    let (clients, _) = crowd.end().await;
    assert_eq!(served.end(), Some(0));

    opens_nothing(site, &old);
    let mut served = Served::start(site);
    let restarted = issuer_at(&served.next());
    assert_eq!(ada.through(restarted).visit("/account").await.status, 200);
    let clients = clients.into_iter().map(|client| client.through(restarted));
    let mut crowd = Crowd::of(clients.collect());
    crowd.goes_on().await;
    let (clients, rounds) = crowd.end().await;
    assert!(clients.len() == 4 && rounds >= 8);
    assert_eq!(served.end(), Some(0));
}

fn rotate(site: &Site) {
    let keys = site.ask("keys rotate");
    let mut keys = keys.as_array().unwrap().iter();
    let next = keys.find(|key| key["standing"] == "next");
    assert_eq!(next.unwrap()["becomes"], "current");
    let section = "keys rotate --emergency";
    let before = site.ask("keys list");
    let withdrawn = site.ask_with("keys rotate --emergency ES256", section, "");
    assert_eq!(withdrawn["left"], 0);
    let gone = withdrawn["withdrawn"].as_array().unwrap();
    let all = before.as_array().unwrap().iter();
    let of_its_kind = all.filter(|key| key["alg"] == "ES256").count();
    assert_eq!(gone.len(), of_its_kind);
    let left = site.ask("keys list");
    let mut left = left.as_array().unwrap().iter();
    assert!(left.all(|key| !gone.contains(&key["kid"])));
    let unknown = site.refuse("keys rotate --emergency none", 3);
    assert!(unknown.contains("no signing key"));
}

/// The keys folder as it is, with the old master key in the place of the new one.
fn folder_of_the_old_key(site: &Site) -> PathBuf {
    let (keys, old) = (site.state().join("keys"), site.state().join("old-keys"));
    std::fs::DirBuilder::new().mode(0o700).create(&old).unwrap();
    for name in ["logins.sealed", "epoch"] {
        std::fs::copy(keys.join(name), old.join(name)).unwrap();
    }
    std::fs::copy(keys.join("master.previous.key"), old.join("master.key")).unwrap();
    old
}

/// Neither a server nor an operator gets anywhere with it.
fn opens_nothing(site: &Site, old_keys: &Path) {
    for line in ["serve", "keys list", "tenant list"] {
        let mut command = site.command(line);
        let output = command.env("LANYARD_KEYS_DIR", old_keys).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{line}: {said}");
        assert!(said.contains("master key"), "{line}: {said}");
    }
}
