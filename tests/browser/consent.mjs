// Another party's app asks; she says no, then yes, and takes it back on her account page.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import http from "node:http";

import { register } from "../clients/lab.mjs";
import { ada, issuer, look, newBrowser, says, scene, signIn, step } from "./stage.mjs";

const theirs = http.createServer((_, answer) => {
  answer.setHeader("content-type", "text/html");
  answer.end("<!doctype html><html lang=en><title>Back</title><h1>Back at the app</h1></html>");
});
await new Promise((ready) => theirs.listen(0, "127.0.0.1", ready));
const back = `http://127.0.0.1:${theirs.address().port}/back`;
const { client_id: client } = await register({
  kind: "web",
  auth_method: "client_secret_basic",
  id_token_alg: "RS256",
  redirect_uri: back,
  post_logout_redirect_uri: back,
  scopes: ["visits:read"],
  is_third_party: true,
});
const challenge = createHash("sha256").update("a".repeat(43)).digest("base64url");
const request = new URL(`${issuer}/authorize`);
request.search = new URLSearchParams({
  response_type: "code",
  client_id: client,
  redirect_uri: back,
  scope: "openid profile email visits:read",
  state: "here",
  code_challenge: challenge,
  code_challenge_method: "S256",
});
const QUESTION = "Let this app see your information?";

await scene(async (browser) => {
  const home = await newBrowser(browser);
  const page = await home.newPage();
  const arrived = async (name) => {
    await page.waitForURL((url) => url.href.startsWith(back));
    return new URL(page.url()).searchParams.get(name);
  };

  await step("she is asked, and does not want to", async () => {
    await page.goto(request.href);
    await signIn(page, ada);
    await says(page, QUESTION);
    await look(page, "consent");
    const sizes = await page.evaluate(() =>
      ["#allow", "#deny"].map((id) => {
        const { width, height } = document.querySelector(id).getBoundingClientRect();
        return [Math.round(width), Math.round(height)];
      }),
    );
    assert.deepEqual(sizes[0], sizes[1], "equally visible");
    await page.click("#deny");
    assert.equal(await arrived("error"), "access_denied");
  });

  await step("she is asked again, and allows it with the keyboard", async () => {
    await page.goto(request.href);
    await says(page, QUESTION);
    await page.focus("#allow");
    await page.keyboard.press("Enter");
    assert.ok(await arrived("code"));
    await page.goto(request.href);
    assert.ok(await arrived("code"), "not asked a second time");
  });

  await step("she takes it back on her account page", async () => {
    await page.goto(`${issuer}/account`);
    await says(page, "Your account");
    await look(page, "account-with-app");
    await page.click("#remove-app-button-0");
    await page.locator("#notice").waitFor();
    await look(page, "account-app-removed");
    await page.goto(request.href);
    await says(page, QUESTION);
  });

  home.expectNone();
});
theirs.close();
