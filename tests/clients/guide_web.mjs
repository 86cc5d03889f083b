// Plays the person before the web app of a guide: node guide_web.mjs <app's folder> <API's folder>
import assert from "node:assert/strict";

import { badge } from "./badge.mjs";
import { clinic, freePort, registerApp, serve, serveApi } from "./guide.mjs";
import { issuer, login, step } from "./lab.mjs";
import { Visitor } from "./person.mjs";

const [folder, folderOfApi] = process.argv.slice(2);
const API = await serveApi("node", `${folderOfApi}/api.mjs`);
const PORT = String(await freePort());
const ORIGIN = `http://127.0.0.1:${PORT}`;
const { client_id, client_secret } = await registerApp({
  kind: "web",
  auth_method: "client_secret_basic",
  redirect_uri: `${ORIGIN}/callback`,
  post_logout_redirect_uri: `${ORIGIN}/bye`,
});
await serve("node", `${folder}/app.mjs`, {
  ...{ API, ORIGIN, PORT, CLINIC: clinic, COOKIE_SECRET: "of this run alone" },
  ...{ CLIENT_ID: client_id, CLIENT_SECRET: client_secret },
});

// She signed in a quarter of an hour ago, elsewhere.
const { person } = await badge({ signedInAgo: 900, organization: clinic });
const browser = new Visitor();
const open = (path, form) => browser.open(ORIGIN + path, form);

/** Follows the app's redirects, over the issuer and back; gives the page and what she was shown. */
async function visit(path, form) {
  let [answer, seen] = [await open(path, form), []];
  for (let hops = 0; answer.status === 302 && hops < 6; hops += 1) {
    let to = new URL(answer.headers.get("location"), ORIGIN);
    if (to.origin === new URL(issuer).origin) {
      const { url, shown } = await person.goThrough(to);
      seen = [...seen, ...shown];
      to = url;
    }
    answer = await browser.open(to);
  }
  assert.equal(answer.status, 200, `${path}: ${answer.status} ${await answer.clone().text()}`);
  return { seen, text: await answer.text() };
}

await step("signs her in without a form, since she is signed in elsewhere", async () => {
  const { seen, text } = await visit("/me");
  assert.deepEqual(seen, []);
  const me = JSON.parse(text);
  assert.deepEqual([me.email, me.tid], [login, clinic]);
});

await step("calls the API, and refreshes", async () => {
  for (let calls = 0; calls < 3; calls += 1) {
    const { seen, text } = await visit("/visits");
    assert.deepEqual([seen, JSON.parse(text).clinic], [[], clinic]);
  }
});

await step("asks her to sign in again before a note is kept, and loses nothing", async () => {
  const { seen, text } = await visit("/notes", { text: "typed before the form" });
  assert(seen.includes("password-form"), seen);
  assert.equal(JSON.parse(text).draft, "typed before the form");
  const again = await visit("/notes", { text: "and this at once" });
  assert.deepEqual(again.seen, []);
});

await step("refuses an answer that it did not ask for", async () => {
  const forged = await open(`/callback?code=x&state=x&iss=${encodeURIComponent(issuer)}`);
  assert.notEqual(forged.status, 200);
  const stranger = await new Visitor().open(`${ORIGIN}/callback?code=x&state=x`);
  assert.equal(stranger.headers.get("location"), "/login");
});

await step("sends her to sign in when the session has ended elsewhere", async () => {
  await person.goThrough(await leaving());
  const { seen } = await visit("/visits");
  assert(seen.includes("password-form"), seen);
});

await step("logs out here and at the issuer", async () => {
  const { text } = await visit("/logout", {});
  assert.equal(text, "Signed out.");
  const { seen } = await visit("/me");
  assert(seen.includes("password-form"), seen);
});

/** Where another app of hers would send her to log out. */
async function leaving() {
  const other = await badge({ organization: clinic, as: person });
  const to = new URL(`${issuer}/logout`);
  to.searchParams.set("id_token_hint", other.id_token);
  to.searchParams.set("client_id", other.client_id);
  to.searchParams.set("post_logout_redirect_uri", "http://127.0.0.1:49152/callback");
  return to;
}
process.exit(0);
