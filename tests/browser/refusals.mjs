// Every way to be told no is a page in words: at the issuer and in an app.
import assert from "node:assert/strict";

import { ada, apps, issuer, look, newBrowser, says, scene, signIn, step } from "./stage.mjs";

const at = apps("juniper");

await scene(async (browser) => {
  const hers = await newBrowser(browser);
  const page = await hers.newPage();

  async function isError(address, status) {
    const answer = await page.goto(address);
    assert.equal(answer.status(), status, address);
    await says(page, "Something went wrong");
    assert.match(await page.locator("#request-id").textContent(), /^[0-9a-f]{16}$/);
  }

  await step("a request that no app of ours would make", async () => {
    await isError(`${issuer}/authorize?client_id=nobody`, 400);
    await look(page, "error-issuer");
    await isError(`${issuer}/sign-in?flow=00000000-0000-4000-8000-000000000000`, 400);
  });

  await step("an address with nothing at it", async () => {
    await isError(`${at.patient}/nothing/here`, 404);
    await look(page, "error-app");
    await isError(`${issuer}/nothing/here`, 404);
  });

  await step("a callback that nobody began", async () => {
    const iss = encodeURIComponent(issuer);
    await isError(`${at.clinician}/callback?code=abc&state=def&iss=${iss}`, 400);
  });

  await step("a clinic that does not exist", async () => {
    const { hostname, port } = new URL(apps().patient);
    const answer = await page.goto(`http://nowhere.${hostname}:${port}/`);
    assert.equal(answer.status(), 421);
    assert.match(await answer.text(), /No clinic has this address/);
  });

  await step("an app that her role does not open", async () => {
    await page.goto(`${at.patient}/sign-in`);
    await signIn(page, ada);
    await says(page, "Your visits");
    await page.goto(at.console);
    await page.locator("#refusal").waitFor();
    await look(page, "refusal-console");
    await page.goto(at.clinician);
    await page.locator("#refusal").waitFor();
    await look(page, "refusal-clinician");
  });

  await step("a clinic that she is no member of", async () => {
    await page.goto(`${apps("birch").patient}/sign-in`);
    await says(page, "Welcome to your patient portal");
    await look(page, "welcome-stranger");
  });

  await step("a logout that nobody vouches for asks her first", async () => {
    await page.goto(`${issuer}/logout`);
    await says(page, "Do you want to sign out?");
    await look(page, "logout-confirm");
    await page.click("#stay");
    await says(page, "Your account");
    await page.goto(`${issuer}/logout`);
    await page.click("#sign-out");
    await says(page, "You are signed out");
    await page.goto(at.patient);
    await says(page, "Your session was ended elsewhere");
  });
  hers.expectNone();
});
