// jose (npm) checks our tokens as an API would, and the verifier's corpus of forged ones.
import assert from "node:assert/strict";
import fs from "node:fs";

import * as jose from "jose";

import { badge } from "./badge.mjs";
import { given, issuer, step } from "./lab.mjs";

const audience = `${issuer}/api/v1`;
const keys = jose.createRemoteJWKSet(new URL(`${issuer}/jwks`));
const access = { issuer, audience, typ: "at+jwt", algorithms: ["ES256"], clockTolerance: 5 };
const requiredClaims = ["sub", "tid", "client_id", "exp", "iat", "jti", "scope"];
const check = (token, more = {}) =>
  jose.jwtVerify(token, keys, { ...access, requiredClaims, ...more });
const refused = (token, more, code) =>
  assert.rejects(check(token, more), (what) => what.code === code || assert.fail(what));

const good = await badge({ scope: "openid visits:read" });

await step("verifies an access token through the JWKS", async () => {
  const { payload } = await check(good.access_token);
  assert.equal(payload.client_id, good.client_id);
  assert.match(payload.tid, /^[0-9a-f-]{36}$/);
  assert.deepEqual(payload.roles, ["patient"]);
});

for (const alg of ["ES256", "RS256", "EdDSA"])
  await step(`verifies an ID token signed with ${alg}`, async () => {
    const { id_token, client_id } = await badge({ alg });
    const verified = await jose.jwtVerify(id_token, keys, {
      issuer,
      audience: client_id,
      algorithms: [alg],
      maxTokenAge: "1 minute",
    });
    assert.equal(verified.protectedHeader.alg, alg);
    assert.equal(verified.payload.nonce, "a-nonce");
    await refused(id_token, {}, "ERR_JOSE_ALG_NOT_ALLOWED").catch(() =>
      refused(id_token, { algorithms: [alg] }, "ERR_JWT_CLAIM_VALIDATION_FAILED"),
    );
  });

await step("refuses another audience, an old token, and an altered one", async () => {
  await refused(good.access_token, { audience: "https://x" }, "ERR_JWT_CLAIM_VALIDATION_FAILED");
  await refused(good.access_token, { issuer: "https://x" }, "ERR_JWT_CLAIM_VALIDATION_FAILED");
  const old = await badge({ age: 600 });
  await refused(old.access_token, {}, "ERR_JWT_EXPIRED");
  const [header, , signature] = good.access_token.split(".");
  const claims = { ...jose.decodeJwt(good.access_token), roles: ["clinic_admin"] };
  const altered = jose.base64url.encode(JSON.stringify(claims));
  await refused(`${header}.${altered}.${signature}`, {}, "ERR_JWS_SIGNATURE_VERIFICATION_FAILED");
});

// What a check by `jose` alone lets in, each for a reason that the guide names: it does not look at
// it, or leaves it to the application. Every other forged token is refused.
const LEFT_TO_THE_API = JSON.parse(fs.readFileSync(new URL("forged_left.json", import.meta.url)));

await step("refuses the verifier's forged tokens, but those that are left to the API", async () => {
  const corpus = JSON.parse(fs.readFileSync(given("FORGED_TOKENS")));
  const set = jose.createLocalJWKSet(corpus.jwks);
  const as = {
    issuer: corpus.issuer,
    audience: corpus.audience,
    typ: "at+jwt",
    algorithms: ["ES256", "RS256", "EdDSA"],
    clockTolerance: 5,
    maxTokenAge: 600,
    requiredClaims,
    currentDate: new Date(corpus.now * 1000),
  };
  const passes = async ({ token }) =>
    jose.jwtVerify(token, set, as).then(
      () => true,
      () => false,
    );
  const names = async (tokens) => {
    const passed = [];
    for (const token of tokens) if (await passes(token)) passed.push(token.name);
    return passed;
  };
  assert.deepEqual(
    await names(corpus.accepted),
    corpus.accepted.map(({ name }) => name),
  );
  assert.deepEqual(await names(corpus.refused), LEFT_TO_THE_API.jose);
});
