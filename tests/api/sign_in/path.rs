//! What a sign-in asks of Postgres: the path, not the time.

use crate::lab::world::PASSWORD;
use crate::lab::{Lab, cluster};
use crate::seal::proxy::Proxy;

/// From the account page over the two pages to a session, from a browser that is known here: six
/// transactions, and the ends of them clean their connections. The best of many, since a
/// connection's first call prepares its statement.
#[tokio::test]
async fn a_sign_in_is_six_transactions_of_few_statements() {
    let database = cluster::fresh().await;
    let proxy = Proxy::before(&database);
    let lab = Lab::on(proxy.database.clone()).await;
    let ada = lab.person("Ada Byron").await;
    let browser = lab.browser();
    let (mut least, mut least_begun) = (usize::MAX, usize::MAX);
    for _ in 0..12 {
        browser.set_cookie("__Host-lanyard_session", None);
        let (before, asked) = (proxy.round_trips(), proxy.messages().len());
        let entered = browser.sign_in(&ada.login, PASSWORD).await;
        entered.goes_to("/account");
        least = least.min(proxy.round_trips() - before);
        let begun = proxy.messages().split_off(asked);
        let begun = begun.iter().filter(|text| text.starts_with("begin;"));
        least_begun = least_begun.min(begun.count());
    }
    assert_eq!(least_begun, 6);
    assert_eq!(least, 29);
}
