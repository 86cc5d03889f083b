//! Other people's relying parties against a running server, each as its own documentation has it:
//! discover, sign in, redeem with PKCE, refresh twice, see reuse refused, log out (issue 2 §8).

use crate::lab::Lab;
use crate::lab::script::Interpreter;
use crate::lab::world::PASSWORD;

/// A server in real time with one patient, and a script that signs her in.
async fn sign_in_with(interpreter: Interpreter, script: &str, arguments: &[&str]) {
    let lab = Lab::in_real_time(|_| ()).await;
    let clinic = lab.clinic("Juniper Family Clinic").await;
    let ada = lab.person("Ada Quill").await;
    lab.join(&ada, clinic.id, &["patient"]).await;
    let given = [("LOGIN", ada.login.as_str()), ("PASSWORD", PASSWORD)];
    let script = format!("clients/{script}");
    lab.run(interpreter, &script, arguments, &given).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_client_of_npm_with_a_secret() {
    sign_in_with(Interpreter::Node, "openid_client.mjs", &["web"]).await;
}

/// A public client, with ES256 for its ID tokens.
#[tokio::test(flavor = "multi_thread")]
async fn openid_client_of_npm_without_a_secret() {
    sign_in_with(Interpreter::Node, "openid_client.mjs", &["native"]).await;
}

/// In a real browser, as the script of a page of a registered origin.
#[tokio::test(flavor = "multi_thread")]
async fn oidc_client_ts_of_npm_in_a_page_of_its_own() {
    sign_in_with(Interpreter::Node, "oidc_client_ts.mjs", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn authlib_of_pypi_in_a_flask_app() {
    sign_in_with(Interpreter::Python, "authlib_client.py", &[]).await;
}
