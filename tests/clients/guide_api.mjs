// Plays whoever calls the API of a guide: node guide_api.mjs <address> | <program> <file>
import assert from "node:assert/strict";

import { badge } from "./badge.mjs";
import { audience, clinic, serveApi, waitFor } from "./guide.mjs";
import { given, step } from "./lab.mjs";

const [program, file] = process.argv.slice(2);
const api = file ? await serveApi(program, file) : program;

const mine = (more = {}) => badge({ audience, organization: clinic, ...more });
const ask = (token, path = "/visits", more = {}) => {
  const headers = { ...(token && { authorization: `Bearer ${token}` }), ...more.headers };
  return fetch(api + path, { ...more, headers });
};
async function refused(answer, status, code, challenge) {
  assert.equal(answer.status, status, await answer.clone().text());
  assert.match(answer.headers.get("content-type"), /^application\/problem\+json/);
  assert.equal((await answer.json()).code, code);
  const said = answer.headers.get("www-authenticate");
  assert.match(said, /^Bearer/);
  for (const part of challenge ?? []) assert(said.includes(part), said);
}

const good = await mine();

await step("lets the right token in, and knows whose it is", async () => {
  const answer = await ask(good.access_token);
  assert.equal(answer.status, 200, await answer.clone().text());
  const { clinic: where, person } = await answer.json();
  assert.equal(where, clinic);
  assert.match(person, /^[0-9a-f-]{36}$/);
  assert.equal((await ask(good.access_token, `/clinics/${clinic}/visits`)).status, 200);
});

await step("refuses without a token, and with one that is none", async () => {
  await refused(await ask(), 401, "token_required");
  const invalid = ['error="invalid_token"'];
  await refused(await ask("garbage"), 401, "invalid_token", invalid);
  const [header, claims, signature] = good.access_token.split(".");
  const altered = Buffer.from(claims, "base64url").toString().replace("patient", "nurse");
  const token = [header, Buffer.from(altered).toString("base64url"), signature].join(".");
  await refused(await ask(token), 401, "invalid_token", invalid);
  await refused(await ask(good.id_token), 401, "invalid_token", invalid);
});

await step("refuses another API's token, an expired one, and another clinic's", async () => {
  const other = await mine({ audience: "https://billing.example.test" });
  await refused(await ask(other.access_token), 401, "invalid_token");
  const old = await mine({ age: 600 });
  await refused(await ask(old.access_token), 401, "invalid_token");
  const there = `/clinics/${given("OTHER_CLINIC")}/visits`;
  await refused(await ask(good.access_token, there), 401, "invalid_token");
});

await step("refuses without the scope, and names it", async () => {
  const { access_token } = await mine({ scope: "openid profile" });
  const parts = ['error="insufficient_scope"', 'scope="visits:read"'];
  await refused(await ask(access_token), 403, "insufficient_scope", parts);
});

const early = await mine({ signedInAgo: 900 });

await step("reports what a person does, and nothing else", async () => {
  const left = async () => {
    const tokens = await early.refresh();
    return tokens.idle_expires_in;
  };
  const before = await left();
  assert.equal((await ask(early.access_token)).status, 200);
  assert((await left()) <= before, "refreshing and polling keep nobody signed in");
  const marked = { headers: { "lanyard-activity": "person" } };
  assert.equal((await ask(early.access_token, "/visits", marked)).status, 200);
  await waitFor(async () => (await left()) > before + 600, "the session lives on");
});

await step("asks for a later sign-in, and takes it (RFC 9470)", async () => {
  const code = "insufficient_user_authentication";
  const post = (token) => ask(token, "/notes", { method: "POST" });
  await refused(await post(early.access_token), 401, code, [`error="${code}"`, 'max_age="300"']);
  const again = await early.tokens({ max_age: "300" });
  assert(again.shown.includes("password-form"), again.shown);
  assert.equal((await post(again.access_token)).status, 200);
});

await step("asks for a second factor, by the name of its context", async () => {
  const code = "insufficient_user_authentication";
  const { access_token } = await early.tokens();
  const said = await ask(access_token, "/letters", { method: "POST" });
  await refused(said, 401, code, [`error="${code}"`, 'acr_values="urn:lanyard:acr:mfa"']);
});
process.exit(0);
