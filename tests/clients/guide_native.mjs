// Plays the person whose system opens a browser for the native app of a guide:
// node guide_native.mjs <app's folder> <API's folder>
import assert from "node:assert/strict";

import { clinic, registerApp, serveApi, start } from "./guide.mjs";
import { issuer, login, password, step } from "./lab.mjs";
import { Person } from "./person.mjs";

const [folder, folderOfApi] = process.argv.slice(2);
const API = await serveApi("node", `${folderOfApi}/api.mjs`);
const { client_id } = await registerApp({
  kind: "native",
  auth_method: "none",
  redirect_uri: "http://127.0.0.1/callback", // any port of it
});
const settings = { API, CLIENT_ID: client_id, CLINIC: clinic };
const { line } = start("node", `${folder}/native.mjs`, settings);
const person = new Person(issuer, login, password);
const opened = async (number) => (await line(number)).replace(/^Open /, "");

await step("signs her in over a loopback port", async () => {
  const { url, shown } = await person.goThrough(await opened(0));
  assert.deepEqual(shown, ["identifier-form", "password-form"]);
  const forged = new URL(url);
  forged.searchParams.set("state", "another");
  assert.equal((await fetch(forged)).status, 404);
  assert.equal((await fetch(url)).status, 200);
  assert.equal(await line(1), "Signed in as Ada Quill");
});

await step("refreshes, and calls the API", async () => {
  assert.equal(await line(2), `Visits of ${clinic}`);
});

await step("ends the session in the browser", async () => {
  const page = await fetch(await opened(3), { redirect: "manual" });
  assert(page.status < 400, `${page.status}`);
});
process.exit(0);
