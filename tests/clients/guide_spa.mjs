// Plays the person before the single-page app of a guide, in Chromium:
// node guide_spa.mjs <app's folder> <API's folder>
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";

import { launch, watch } from "../browser/chromium.mjs";
import { clinic, registerApp, serveApi } from "./guide.mjs";
import { advance, codeNow, issuer, login, password, step } from "./lab.mjs";

const [folder, folderOfApi] = process.argv.slice(2);
const api = await serveApi("node", `${folderOfApi}/api.mjs`);
const library = "node_modules/oidc-client-ts/dist/browser/oidc-client-ts.js";
const settings = {};
const calls = []; // what the API was asked, and with what status it answered

// Its files, and the API under its own origin, as a proxy in front of both would have it.
const server = http.createServer(async (request, answer) => {
  const { pathname } = new URL(request.url, "http://any");
  const script = (text) => answer.writeHead(200, { "content-type": "text/javascript" }).end(text);
  if (pathname.startsWith("/api/")) {
    const { method } = request;
    const { authorization } = request.headers;
    const said = await fetch(api + pathname.slice(4), { method, headers: { authorization } });
    calls.push(`${method} ${pathname} ${said.status}`);
    const headers = { "content-type": said.headers.get("content-type") };
    const challenge = said.headers.get("www-authenticate");
    if (challenge) headers["www-authenticate"] = challenge;
    answer.writeHead(said.status, headers).end(await said.text());
  } else if (pathname === "/oidc-client-ts.js") script(fs.readFileSync(library));
  else if (pathname === "/app.js")
    script(`window.settings = ${JSON.stringify(settings)};\n${fs.readFileSync(`${folder}/app.js`)}`);
  else if (pathname === "/favicon.ico") answer.writeHead(204).end();
  else
    answer
      .writeHead(200, { "content-type": "text/html" })
      .end(fs.readFileSync(`${folder}/index.html`));
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const origin = `http://127.0.0.1:${server.address().port}`;
const { client_id } = await registerApp({
  kind: "spa",
  auth_method: "none",
  redirect_uri: `${origin}/callback`,
  post_logout_redirect_uri: `${origin}/bye`,
  origin,
});
Object.assign(settings, { issuer, client_id, clinic });

const browser = await launch();
const context = await browser.newContext();
const { expectNone, excuse } = watch(context);
excuse(/\/api\/(notes|letters) says Failed to load resource.* 401 /); // RFC 9470
const page = await context.newPage();
const state = (text) => page.getByText(text).waitFor();

/** Her name and password, where the issuer asks for them. */
async function prove() {
  await page.fill("#login", login);
  await page.click("#continue");
  await page.fill("#password", password);
  await page.click("#sign-in");
}
/** Types a note and sends it. */
async function keep(text) {
  await page.fill("#text", text);
  await page.click("#note button");
}

await step("signs her in, and knows her name", async () => {
  await page.goto(origin);
  await state("Signed out");
  await page.click("#sign-in");
  await prove();
  await state("Signed in as Ada Quill");
  assert.equal(page.url(), `${origin}/`);
});

await step("calls the API, and refreshes", async () => {
  const token = () => page.evaluate("manager.getUser().then((user) => user.refresh_token)");
  await page.click("#visits");
  await state(`Visits of ${clinic}`);
  const before = await token();
  await page.evaluate("manager.signinSilent().then(() => true)");
  assert.notEqual(await token(), before);
  await page.reload();
  await state("Signed in as Ada Quill");
});

await step("keeps a note at once when she has just signed in", async () => {
  await keep("said at once");
  await state("Kept for ");
  assert.deepEqual(calls.slice(-1), ["POST /api/notes 200"]);
});

// She signs in a quarter of an hour ago, and then the time is now.
await page.evaluate("manager.removeUser()");
await context.clearCookies();
await advance(-900);
await page.goto(origin);
await page.click("#sign-in");
await prove();
await state("Signed in as Ada Quill");
await advance(900);

await step("who does not confirm goes back, and has what she typed", async () => {
  await keep("typed before the form");
  await page.locator("#identifier-form").waitFor();
  assert.match(calls.at(-1), /^POST \/api\/notes 401$/);
  await page.click("#decline");
  await state("Signed in as Ada Quill");
  assert.equal(page.url(), `${origin}/`);
  assert.equal(await page.inputValue("#text"), "typed before the form");
});

await step("who signs in again has her note kept (RFC 9470, max_age)", async () => {
  const before = calls.length;
  await page.click("#note button");
  await prove();
  await state("Kept for ");
  assert.equal(await page.inputValue("#text"), "");
  assert.equal(calls.at(-1), "POST /api/notes 200");
  const given = calls.slice(before).filter((call) => call.endsWith("200"));
  assert.equal(given.length, 1, `sent once: ${calls}`);
  await keep("and this at once");
  await page.waitForFunction(() => document.getElementById("text").value === "");
  assert.equal(calls.at(-1), "POST /api/notes 200");
});

await step("who has no second factor sets one up for a letter (acr_values)", async () => {
  await page.evaluate("void keep('/api/letters', 'a letter')");
  await page.locator("#enroll-form").waitFor();
  assert.match(calls.at(-1), /^POST \/api\/letters 401$/);
  await page.locator("summary").click();
  const secret = (await page.locator("#secret").textContent()).replaceAll(/\s/g, "");
  await page.fill("#code", await codeNow(secret));
  await page.click("#set-up");
  await page.click("#onward");
  await state("Kept for ");
  assert.equal(calls.at(-1), "POST /api/letters 200");
});

await step("logs out", async () => {
  await page.click("#sign-out");
  await state("Signed out");
  assert.equal(new URL(page.url()).pathname, "/bye");
  await page.goto(origin);
  await page.click("#sign-in");
  await page.locator("#identifier-form").waitFor();
});
expectNone();
process.exit(0);
