// Plays the person before the single-page app of a guide, in Chromium:
// node guide_spa.mjs <app's folder> <API's folder>
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";

import { launch, watch } from "../browser/chromium.mjs";
import { clinic, registerApp, serveApi } from "./guide.mjs";
import { issuer, login, password, step } from "./lab.mjs";

const [folder, folderOfApi] = process.argv.slice(2);
const api = await serveApi("node", `${folderOfApi}/api.mjs`);
const library = "node_modules/oidc-client-ts/dist/browser/oidc-client-ts.js";
const settings = {};

// Its files, and the API under its own origin, as a proxy in front of both would have it.
const server = http.createServer(async (request, answer) => {
  const { pathname } = new URL(request.url, "http://any");
  const script = (text) => answer.writeHead(200, { "content-type": "text/javascript" }).end(text);
  if (pathname.startsWith("/api/")) {
    const { authorization } = request.headers;
    const said = await fetch(api + pathname.slice(4), { headers: { authorization } });
    answer.writeHead(said.status, { "content-type": "application/json" }).end(await said.text());
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
const { expectNone } = watch(context);
const page = await context.newPage();
const state = (text) => page.getByText(text).waitFor();

await step("signs her in, and knows her name", async () => {
  await page.goto(origin);
  await state("Signed out");
  await page.click("#sign-in");
  await page.fill("#login", login);
  await page.click("#continue");
  await page.fill("#password", password);
  await page.click("#sign-in");
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
