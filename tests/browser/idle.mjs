// The warning before the idle end: it comes in time, says the same in every tab and app, and what
// a person answers holds everywhere (WCAG 2.2.1). Server's and browser's time are moved together.
import assert from "node:assert/strict";

import {
  apps, issuer, later, look, mara, newBrowser, says, scene, signIn, step,
} from "./stage.mjs";

const at = apps("juniper");
const LIMIT = 15 * 60; // of a clinician's session
const WARNED = LIMIT - 110; // inside the last two minutes

await scene(async (browser) => {
  const hers = await newBrowser(browser);
  await hers.clock.install();
  const dialog = (tab) => tab.locator("#session-warning");
  const isOpen = (tab) => tab.locator("#session-warning[open]").waitFor();
  const isShut = (tab) => dialog(tab).waitFor({ state: "hidden" });

  async function open(address, sentence) {
    const tab = await hers.newPage();
    await tab.goto(address);
    if (sentence) await says(tab, sentence);
    return tab;
  }

  /** The patient app twice, the clinician app, the account page. */
  async function fourTabs() {
    const patient = await open(`${at.patient}/sign-in`);
    await signIn(patient, mara);
    await says(patient, "Your visits");
    return [
      patient,
      await open(at.patient, "Your visits"),
      await open(at.clinician, "Your patients' visits"),
      await open(`${issuer}/account`, "Your account"),
    ];
  }

  let tabs;
  await step("nothing is said two and a half minutes before the end", async () => {
    tabs = await fourTabs();
    await later(hers, LIMIT - 150);
    for (const tab of tabs) await isShut(tab);
  });

  await step("two minutes before it, every tab of every app warns", async () => {
    await later(hers, 40);
    for (const tab of tabs) {
      await isOpen(tab);
      // Less by as much as four tabs took, which a busy machine makes long.
      assert.match(await tab.locator("#session-countdown").textContent(), /^1:[0-5]\d$/);
      assert.match(await tab.title(), /until sign-out/);
    }
  });

  await step("the warning holds the focus, and is fit for all", async () => {
    const [tab] = tabs;
    await tab.bringToFront();
    const focused = () => tab.evaluate(() => document.activeElement.id);
    assert.equal(await focused(), "session-stay-button");
    for (let presses = 0; presses < 4; presses += 1) {
      await tab.keyboard.press("Tab");
      const [inside, id] = await tab.evaluate(() => [
        document.activeElement.closest("#session-warning") !== null,
        document.activeElement.tagName,
      ]);
      assert(inside || id === "BODY", "the focus leaves the warning"); // or the browser's own bar
    }
    await look(tab, "warning");
    await look(tabs[3], "warning-account");
  });

  await step("staying in one keeps all of them", async () => {
    await tabs[0].click("#session-stay-button");
    await isShut(tabs[0]);
    await isShut(tabs[1]); // the same app: at once
    await later(hers, 11); // the other apps ask every ten seconds while they warn
    for (const tab of tabs) await isShut(tab);
    await later(hers, LIMIT - 180); // past the old end
    for (const tab of tabs) await isShut(tab);
  });

  await step("Escape is an answer too", async () => {
    await later(hers, 60);
    for (const tab of tabs) await isOpen(tab);
    await tabs[2].bringToFront();
    await tabs[2].keyboard.press("Escape");
    await isShut(tabs[2]);
    await later(hers, 11);
    for (const tab of tabs) await isShut(tab);
  });

  await step("without an answer every tab leaves, and says why", async () => {
    await later(hers, WARNED);
    for (const tab of tabs) await isOpen(tab);
    await later(hers, 115);
    for (const tab of tabs) {
      await says(tab, "You were signed out because you were away");
      assert.equal(new URL(tab.url()).searchParams.get("reason"), "idle");
    }
    await look(tabs[0], "signed-out-idle");
    await tabs[1].goto(`${at.patient}/sign-in`); // not only the page: the session is over
    await says(tabs[1], "Sign in to continue");
    for (const tab of tabs) await tab.close();
  });

  await step("signing out from the warning takes the other tabs along", async () => {
    tabs = await fourTabs();
    await later(hers, WARNED);
    for (const tab of tabs) await isOpen(tab);
    await tabs[0].click("#session-sign-out-button");
    await says(tabs[0], "You are signed out");
    await says(tabs[1], "You are signed out");
    await later(hers, 11);
    for (const tab of tabs.slice(2)) await says(tab, "Your session was ended elsewhere");
  });
  hers.expectNone();
});
