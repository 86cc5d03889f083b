// oauth4webapi (npm): every step by itself, each with all of its checks. EdDSA for ID tokens.
import assert from "node:assert/strict";

import * as oauth from "oauth4webapi";

import { issuer, login, password, register, step } from "./lab.mjs";
import { Person } from "./person.mjs";

const redirect_uri = "http://127.0.0.1:49152/callback"; // nobody listens: the person is asked
const post_logout_redirect_uri = "http://127.0.0.1:49152/bye";
const scope = "openid profile email visits:read";
const http = { [oauth.allowInsecureRequests]: true }; // the lab's issuer is on loopback

const registered = await register({
  kind: "web",
  auth_method: "client_secret_basic",
  id_token_alg: "EdDSA",
  redirect_uri,
  post_logout_redirect_uri,
  scopes: scope.split(" "),
});
const client = {
  client_id: registered.client_id,
  id_token_signed_response_alg: "EdDSA",
  require_auth_time: true,
};
const secret = oauth.ClientSecretBasic(registered.client_secret);

const as = await step("discovers the issuer by both documents", async () => {
  const read = async (algorithm) => {
    const answer = await oauth.discoveryRequest(new URL(issuer), { algorithm, ...http });
    return oauth.processDiscoveryResponse(new URL(issuer), answer);
  };
  const found = await read("oidc");
  assert.deepEqual(await read("oauth2"), found);
  assert(found.authorization_response_iss_parameter_supported);
  assert(found.code_challenge_methods_supported.includes("S256"));
  return found;
});

const person = new Person(issuer, login, password);

async function ask() {
  const [verifier, state, nonce] = [1, 2, 3].map(() => oauth.generateRandomCodeVerifier());
  const to = new URL(as.authorization_endpoint);
  const code_challenge = await oauth.calculatePKCECodeChallenge(verifier);
  for (const [name, value] of Object.entries({
    client_id: client.client_id,
    response_type: "code",
    code_challenge_method: "S256",
    redirect_uri,
    scope,
    state,
    nonce,
    code_challenge,
  }))
    to.searchParams.set(name, value);
  const { url } = await person.goThrough(to);
  return { url, verifier, state, nonce };
}

async function redeem({ url, verifier, state, nonce }, more = {}) {
  const parameters = oauth.validateAuthResponse(as, client, url, state);
  const answer = await oauth.authorizationCodeGrantRequest(
    as, client, secret, parameters, redirect_uri, verifier, http,
  );
  const checks = { expectedNonce: nonce, maxAge: 300, requireIdToken: true, ...more };
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, answer, checks);
  await oauth.validateApplicationLevelSignature(as, answer, http); // the ID token's, by the JWKS
  return tokens;
}

const tokens = await step("signs a person in and redeems the code with PKCE", async () =>
  redeem(await ask()),
);
const claims = await step("verifies the ID token by its EdDSA signature", () => {
  const found = oauth.getValidatedIdTokenClaims(tokens);
  assert.equal(found.iss, issuer);
  assert(found.sid && found.auth_time && found.tid);
  return found;
});

await step("refuses another issuer's answer, another state and another nonce", async () => {
  const fresh = await ask();
  const altered = (change) => {
    const url = new URL(fresh.url);
    change(url.searchParams);
    return { ...fresh, url };
  };
  const mixedUp = altered((query) => query.set("iss", "https://id.example.test"));
  await assert.rejects(redeem(mixedUp), /issuer|iss/); // RFC 9207 §2.4
  await assert.rejects(redeem(altered((query) => query.delete("iss"))), /iss/);
  await assert.rejects(redeem({ ...fresh, state: "another" }), /state/);
  await assert.rejects(redeem({ ...fresh, nonce: "another" }), /nonce/);
});

await step("refuses a code with another verifier", async () => {
  const fresh = await ask();
  const other = { ...fresh, verifier: oauth.generateRandomCodeVerifier() };
  await assert.rejects(redeem(other), (what) => what.error === "invalid_grant");
});

await step("asks who it is", async () => {
  const answer = await oauth.userInfoRequest(as, client, tokens.access_token, http);
  const info = await oauth.processUserInfoResponse(as, client, claims.sub, answer);
  assert.equal(info.email, login);
  const forged = await oauth.userInfoRequest(as, client, "garbage", http);
  await assert.rejects(
    oauth.processUserInfoResponse(as, client, claims.sub, forged),
    (what) => what.status === 401 && what.cause[0].parameters.error === "invalid_token",
  );
});

const refresh = async (token) => {
  const answer = await oauth.refreshTokenGrantRequest(as, client, secret, token, http);
  return oauth.processRefreshTokenResponse(as, client, answer);
};
const isDead = (token) =>
  assert.rejects(refresh(token), (what) => what.error === "invalid_grant");

await step("refreshes twice, and sees the reuse of a spent token end its family", async () => {
  const second = await refresh(tokens.refresh_token);
  const third = await refresh(second.refresh_token);
  assert.equal(oauth.getValidatedIdTokenClaims(third).sub, claims.sub);
  await isDead(tokens.refresh_token);
  await isDead(third.refresh_token);
});

await step("checks the access token as an API would (RFC 9068)", async () => {
  const checked = (audience, token = tokens.access_token) => {
    const headers = { authorization: `Bearer ${token}` };
    const request = new Request("http://localhost/visits", { headers });
    return oauth.validateJwtAccessToken(as, request, audience, http);
  };
  const access = await checked(`${issuer}/api/v1`);
  assert.equal(access.tid, claims.tid);
  assert.equal(access.client_id, client.client_id);
  await assert.rejects(checked("https://another.example.test"), /aud/);
  await assert.rejects(checked(`${issuer}/api/v1`, tokens.id_token));
});

await step("revokes its refresh token, and everything of it is dead (RFC 7009)", async () => {
  const last = await redeem(await ask());
  for (const _ of [1, 2]) {
    const answer = await oauth.revocationRequest(as, client, secret, last.refresh_token, http);
    await oauth.processRevocationResponse(answer);
  }
  await isDead(last.refresh_token);
});

await step("logs out, and comes back with its state", async () => {
  const last = await redeem(await ask());
  const to = new URL(as.end_session_endpoint);
  to.searchParams.set("id_token_hint", last.id_token);
  to.searchParams.set("post_logout_redirect_uri", post_logout_redirect_uri);
  to.searchParams.set("state", "bye-bye");
  const { url } = await person.goThrough(to);
  assert.equal(url.href, `${post_logout_redirect_uri}?state=bye-bye`);
  await isDead(last.refresh_token);
});
