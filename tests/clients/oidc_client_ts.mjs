// oidc-client-ts (npm) where it belongs: in a page of another origin, in a real browser.
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";

import { launch, watch } from "../browser/chromium.mjs";
import { issuer, login, password, register, step } from "./lab.mjs";

const here = (name) => fs.readFileSync(new URL(name, import.meta.url));
const library = "node_modules/oidc-client-ts/dist/browser/oidc-client-ts.js";
const script = (name) => ["text/javascript", here(name)];
const files = { "/oidc-client-ts.js": script(library), "/spa.js": script("spa.js") };
const page_of_app = ["text/html", here("spa.html")];

const server = http.createServer((request, answer) => {
  const { pathname } = new URL(request.url, "http://any");
  const [type, body] = files[pathname] ?? page_of_app;
  answer.writeHead(pathname === "/favicon.ico" ? 204 : 200, { "content-type": type }).end(body);
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const { port } = server.address();
const origin = `http://127.0.0.1:${port}`;

const { client_id } = await register({
  kind: "spa",
  auth_method: "none",
  id_token_alg: "RS256",
  redirect_uri: `${origin}/callback`,
  post_logout_redirect_uri: `${origin}/bye`,
  origin,
  scopes: ["openid", "profile", "email", "offline_access"],
});

const browser = await launch();
const context = await browser.newContext();
const { excuse, expectNone } = watch(context);
const page = await context.newPage();
const settings = new URLSearchParams({ authority: issuer, client_id });
const state = (text) => page.getByText(text, { exact: true }).waitFor();
const user = () => page.evaluate(() => window.app.user());
const refresh = () => page.evaluate(() => window.app.refresh());

/** Presses the button behind which the page leaves for the issuer. */
async function leave(button) {
  await page.goto(`${origin}/#${settings}`);
  await page.reload(); // a page with only another fragment is not loaded anew
  await state("Ready");
  await page.evaluate((name) => void window.app[name](), button);
}

const first = await step("discovers, signs a person in, redeems the code with PKCE", async () => {
  await leave("signIn");
  await page.fill("#login", login);
  await page.click("#continue");
  await page.fill("#password", password);
  await page.click("#sign-in");
  await state("Signed in, back to where I was");
  return user();
});

await step("takes the ID token, and asks who it is", () => {
  assert.equal(first.profile.iss, issuer);
  assert.equal(first.profile.aud, client_id);
  assert.equal(first.profile.email, login);
});

await step("refreshes twice, and sees the reuse of a spent token end its family", async () => {
  const second = (await refresh()).ok;
  assert.notEqual(second.refresh_token, first.refresh_token);
  assert.equal(second.profile.sub, first.profile.sub);
  const third = (await refresh()).ok;
  assert.notEqual(third.refresh_token, second.refresh_token);
  excuse(/\/token says Failed to load resource: .* 400/);
  for (const dead of [first, third]) {
    await page.evaluate((token) => window.app.goBackTo(token), dead.refresh_token);
    assert.deepEqual(await refresh(), { error: "invalid_grant" });
  }
});

await step("signs in again without a page, since the session outlives a family", async () => {
  await leave("signIn");
  await state("Signed in, back to where I was");
});

await step("logs out, and comes back with its state", async () => {
  await leave("signOut");
  await state("Signed out, done for today");
  assert.equal(new URL(page.url()).origin, origin);
  assert.equal(await user(), null);
  await leave("signIn");
  await page.locator("#identifier-form").waitFor();
});
expectNone();

await step("a page of an origin that nobody registered reads nothing", async () => {
  const stranger = await browser.newPage();
  await stranger.goto(`http://localhost:${port}/other`);
  for (const path of ["/.well-known/openid-configuration", "/jwks", "/userinfo"]) {
    const read = (url) =>
      fetch(url).then(
        () => "read",
        () => "kept from it",
      );
    assert.equal(await stranger.evaluate(read, issuer + path), "kept from it");
  }
});

await browser.close();
server.close();
