//! Other people's relying parties against a running server, each as its own documentation has it:
//! discover, sign in, redeem with PKCE, refresh twice, see reuse refused, log out (issue 2 §8,
//! issue 3). And what other people's token checks make of our tokens.

use crate::lab::Lab;
use crate::lab::script::{FORGED_TOKENS, Interpreter};
use crate::lab::world::PASSWORD;

/// A server in real time with one patient, and a script that signs her in.
async fn sign_in_with(interpreter: Interpreter, script: &str, arguments: &[&str]) {
    let lab = Lab::in_real_time(|_| ()).await;
    let clinic = lab.clinic("Juniper Family Clinic").await;
    let ada = lab.person("Ada Quill").await;
    lab.join(&ada, clinic.id, &["patient"]).await;
    let given = [
        ("LOGIN", ada.login.as_str()),
        ("PASSWORD", PASSWORD),
        ("FORGED_TOKENS", FORGED_TOKENS),
    ];
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

#[tokio::test(flavor = "multi_thread")]
async fn oauth4webapi_of_npm_step_by_step() {
    sign_in_with(Interpreter::Node, "oauth4webapi.mjs", &[]).await;
}

/// It knows no PKCE: a client of the plain profile.
#[tokio::test(flavor = "multi_thread")]
async fn passport_openidconnect_of_npm_in_an_express_app() {
    sign_in_with(Interpreter::Node, "passport_openidconnect.mjs", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_core_of_npm_with_pkce_state_and_nonce() {
    sign_in_with(Interpreter::Node, "auth_core.mjs", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idpyoidc_of_pypi_as_a_relying_party() {
    sign_in_with(Interpreter::Python, "idpyoidc_client.py", &[]).await;
}

/// Debian's package before a real Apache, which the script starts for itself.
#[tokio::test(flavor = "multi_thread")]
async fn mod_auth_openidc_before_a_real_apache() {
    sign_in_with(Interpreter::Python, "apache_client.py", &[]).await;
}

/// All three algorithms through the JWKS; and every forged token of the verifier's corpus.
#[tokio::test(flavor = "multi_thread")]
async fn jose_of_npm_checks_our_tokens() {
    sign_in_with(Interpreter::Node, "jose_checks.mjs", &[]).await;
}

/// As jose.
#[tokio::test(flavor = "multi_thread")]
async fn pyjwt_and_joserfc_of_pypi_check_our_tokens() {
    sign_in_with(Interpreter::Python, "python_checks.py", &[]).await;
}
