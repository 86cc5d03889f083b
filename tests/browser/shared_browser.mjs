// Two tabs that sign in side by side, a change of mind, and another person in the same browser.
import assert from "node:assert/strict";

import { ada, apps, mara, newBrowser, says, scene, signIn, step } from "./stage.mjs";

const at = apps("juniper");

await scene(async (browser) => {
  const shared = await newBrowser(browser);
  const [left, right] = [await shared.newPage(), await shared.newPage()];

  await step("two sign-ins begun side by side both end well", async () => {
    await left.goto(`${at.patient}/sign-in`);
    await right.goto(`${at.clinician}/sign-in`);
    await says(left, "Sign in to continue");
    await signIn(right, mara);
    await says(right, "Your patients' visits");
    await signIn(left, mara);
    await says(left, "Your visits");
    await right.reload();
    await says(right, "Your patients' visits");
    await left.click("#sign-out-button");
    await says(left, "You are signed out");
  });

  await step("who typed another's address goes back", async () => {
    await left.goto(`${at.patient}/sign-in`);
    await left.fill("#login", mara);
    await left.click("#continue");
    await says(left, "Enter your password");
    await left.click("#not-you");
    await signIn(left, ada);
    await says(left, "Your visits");
    assert.match(await left.locator("#account-link").textContent(), /Ada/);
  });

  await step("nobody is shown the page of who was there before", async () => {
    await right.goto(`${at.clinician}/sign-in`); // Ada's session answers
    await right.locator("#refusal").waitFor();
    await left.click("#sign-out-button");
    await says(left, "You are signed out");
    await left.click("#sign-in-again");
    await signIn(left, mara);
    await says(left, "Your visits");
    assert.match(await left.locator("#account-link").textContent(), /Mara/);
    await right.reload();
    await says(right, "Your session was ended elsewhere");
  });
  shared.expectNone();
});
