//! `lanyard account erase`, with the program itself: a person goes, and the log is whole.

use std::fs;

use serde_json::Value;

use super::command::{Served, Site};
use super::honest::browser;

const PASSWORD: &str = "quiet river under seven bridges";
const ADA: &str = "ada@juniper.example";

fn create(site: &Site) -> Value {
    let create = format!(
        "account create --password-stdin --name Ada --tenant juniper --role patient --login {ADA}"
    );
    site.ask_with(&create, "account create", &format!("{PASSWORD}\n"))
}

/// Exports a log, has it checked, and gives what stands in the file.
fn exported(site: &Site, tenant: &str, name: &str) -> String {
    let file = site.state().join(name);
    let export = format!(
        "audit export {} --tenant {tenant} --disclose",
        file.display()
    );
    site.ask_with(&export, "audit export", "");
    let text = fs::read_to_string(&file).unwrap();
    let header: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let key = header["keys"][0].as_str().unwrap();
    let verified = site.run(&format!("audit verify {} --key {key}", file.display()));
    assert!(verified.status.success(), "{verified:?}");
    text
}

/// Issue 4: deleting a person pseudonymizes, and the log still verifies.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_erases_a_person_and_the_log_is_whole() {
    let site = Site::new();
    site.ask("keys init");
    site.ask_with("migrate", "migrate", "");
    site.ask("tenant create juniper --name Juniper");
    let mut served = Served::start(&site);
    let ada = browser(&served.next(), 7);
    let refused = "Enter your password";
    // Nobody has that login yet: the log has it as a value that can be erased.
    ada.sign_in(ADA, PASSWORD).await.shows(403, refused);
    let made = create(&site);
    ada.sign_in(ADA, PASSWORD).await.goes_to("/account");
    let before = exported(&site, "platform", "before.ndjson");
    assert!(before.contains("{\"disclosed\":"), "{before}");

    let erase = format!("account erase --login {ADA} --confirm");
    let unsure = site.refuse(&format!("{erase} bob@juniper.example"), 2);
    assert!(unsure.contains("--confirm"), "{unsure}");
    let erased = site.ask_with(&format!("{erase} {ADA}"), "account erase", "");
    assert_eq!(erased["account_id"], made["account_id"]);
    assert_eq!(erased["changed"], true);
    assert_eq!(
        (&erased["sessions"], &erased["disclosures"]),
        (&1.into(), &1.into())
    );
    ada.visit("/account").await.page("Sign in to continue");
    ada.sign_in(ADA, PASSWORD).await.shows(403, refused);
    let after = exported(&site, "juniper", "juniper.ndjson");
    assert!(after.contains("\"account.erased\""), "{after}");
    let digest = |text: &str| {
        let shown = text.lines().find(|l| l.starts_with("{\"disclosed\":"));
        shown.map(str::to_owned)
    };
    let later = exported(&site, "platform", "after.ndjson");
    assert!(!later.contains(&digest(&before).unwrap()), "{later}");

    let pseudonym = format!("erased-{}", made["account_id"].as_str().unwrap());
    let again = format!("account erase --login {pseudonym} --confirm {pseudonym}");
    let again = site.ask_with(&again, "account erase", "");
    assert_eq!(again["changed"], false);
    let nobody = site.refuse(&format!("{erase} {ADA}"), 3);
    assert!(nobody.contains("nobody has that login"), "{nobody}");
    assert_ne!(create(&site)["account_id"], made["account_id"]);
    assert_eq!(served.end(), Some(0));
}
