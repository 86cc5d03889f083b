// openid-client (npm) as a relying party: node openid_client.mjs web|native
import assert from "node:assert/strict";

import { issuer, login, password, register, step } from "./lab.mjs";
import { Person } from "./person.mjs";
import * as client from "openid-client";

const kind = process.argv[2];
const isPublic = kind === "native";
const redirect_uri = "http://127.0.0.1:49152/callback"; // nobody listens: the person is asked
const post_logout_redirect_uri = "http://127.0.0.1:49152/bye";
const scope = "openid profile email offline_access";

const registered = await register({
  kind,
  auth_method: isPublic ? "none" : "client_secret_post",
  id_token_alg: isPublic ? "ES256" : "RS256",
  redirect_uri,
  post_logout_redirect_uri,
  scopes: scope.split(" "),
});

const config = await step("discovers the issuer", () => {
  const authentication = isPublic
    ? client.None()
    : client.ClientSecretPost(registered.client_secret);
  const metadata = { id_token_signed_response_alg: isPublic ? "ES256" : "RS256" };
  return client.discovery(new URL(issuer), registered.client_id, metadata, authentication, {
    execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
  });
});
assert.equal(config.serverMetadata().issuer, issuer);
assert(config.serverMetadata().supportsPKCE());

const person = new Person(issuer, login, password);

async function signIn(more = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const expectedNonce = client.randomNonce();
  const to = client.buildAuthorizationUrl(config, {
    redirect_uri,
    scope,
    state: expectedState,
    nonce: expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
    ...more,
  });
  const { url, shown } = await person.goThrough(to);
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true };
  return { tokens: () => client.authorizationCodeGrant(config, url, checks), shown };
}

const refused = (error) => (what) => what.error === error || assert.fail(what);

/** Nothing of a family is good any more. */
const isDead = (token) =>
  assert.rejects(client.refreshTokenGrant(config, token), refused("invalid_grant"));

const first = await step("signs a person in and redeems the code with PKCE", async () => {
  const { tokens, shown } = await signIn();
  assert.deepEqual(shown, ["identifier-form", "password-form"]);
  const given = await tokens();
  assert.equal(given.token_type.toLowerCase(), "bearer");
  assert(given.refresh_token && given.access_token);
  await assert.rejects(tokens(), refused("invalid_grant")); // a code is good once
  await isDead(given.refresh_token); // and what it gave dies with its second use
  const again = await signIn();
  assert.deepEqual(again.shown, []); // signed in already
  return again.tokens();
});

const { sub } = await step("verifies the ID token", () => {
  const claims = first.claims(); // its signature was checked against /jwks
  assert.equal(claims.iss, issuer);
  assert.equal(claims.aud, registered.client_id);
  assert(claims.sid && claims.auth_time && claims.tid);
  return claims;
});

await step("asks who it is", async () => {
  const info = await client.fetchUserInfo(config, first.access_token, sub);
  assert.equal(info.sub, sub);
  assert.equal(info.email, login);
  const none = client.fetchUserInfo(config, "no-token-of-anybody", sub);
  await assert.rejects(none, (what) => what.status === 401 || assert.fail(what));
});

const third = await step("refreshes twice, and a lost answer is given again", async () => {
  const second = await client.refreshTokenGrant(config, first.refresh_token);
  assert.notEqual(second.refresh_token, first.refresh_token);
  assert.equal(second.claims().sub, sub);
  const again = await client.refreshTokenGrant(config, first.refresh_token);
  assert.equal(again.refresh_token, second.refresh_token);
  const third = await client.refreshTokenGrant(config, second.refresh_token);
  assert.notEqual(third.refresh_token, second.refresh_token);
  await client.fetchUserInfo(config, third.access_token, sub);
  return third;
});

await step("sees the reuse of a spent refresh token end its family", async () => {
  await isDead(first.refresh_token);
  await isDead(third.refresh_token);
});

const last = await step("signs in silently, since the session outlives a family", async () => {
  const { tokens, shown } = await signIn({ prompt: "none" });
  assert.deepEqual(shown, []);
  return tokens();
});

await step("logs out, and comes back with its state", async () => {
  const state = client.randomState();
  const to = client.buildEndSessionUrl(config, {
    id_token_hint: last.id_token,
    post_logout_redirect_uri,
    state,
  });
  const { url } = await person.goThrough(to);
  assert.equal(url.href, `${post_logout_redirect_uri}?state=${state}`);
  await isDead(last.refresh_token);
  const { tokens } = await signIn({ prompt: "none" });
  await assert.rejects(tokens(), refused("login_required"));
});
