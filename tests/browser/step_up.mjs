// Someone who starts at a clinic puts her sign-in codes off, sets them up, and says something to
// everybody, for which she is asked once more. node step_up.mjs with-script|without-script
import assert from "node:assert/strict";

import { codeNow } from "../clients/lab.mjs";
import { apps, issuer, later, look, newBrowser, password, says, scene, step } from "./stage.mjs";

const scripted = process.argv[2] === "with-script";
const nell = process.env.LANYARD_NELL;
const at = apps("juniper");
const text = "The lab is closed on Friday.\nAsk at the desk.";

await scene(async (browser) => {
  const hers = await newBrowser(browser, { javaScriptEnabled: scripted });
  const page = await hers.newPage();
  if (scripted) await hers.clock.install();
  const see = (name) => look(page, scripted ? name : `without-script-${name}`, { scripted });
  const enter = async () => {
    await page.goto(`${at.console}/sign-in`);
    await page.fill("#login", nell);
    await page.click("#continue");
    await page.fill("#password", password);
    await page.click("#sign-in");
    await says(page, "Set up sign-in codes");
  };
  let secret;

  await step("she puts setting up codes off, once", async () => {
    await enter();
    await see("enroll-once");
    await page.click("#postpone");
    await says(page, "Your clinic at a glance");
    await page.click("#sign-out-button");
    await says(page, "You are signed out");
  });

  await step("the next time she sets them up, by hand", async () => {
    await enter();
    assert.equal(await page.locator("#postpone").count(), 0);
    await page.locator("summary").click();
    await see("enroll-by-hand");
    secret = (await page.locator("#secret").textContent()).replaceAll(/\s/g, "");
    await page.fill("#code", "000000");
    await page.click("#set-up");
    await page.locator("#problem").waitFor();
    await see("enroll-problem");
    await page.fill("#code", await codeNow(secret));
    await page.click("#set-up");
    await says(page, "Keep these recovery codes");
    assert.equal(await page.locator("#recovery-codes li").count(), 10);
    await see("recovery-codes");
    await page.click("#onward");
    await says(page, "Your clinic at a glance");
  });

  await step("what she tells everybody waits until she has confirmed", async () => {
    await later(page.context(), 301, scripted);
    await page.goto(at.console);
    await page.fill("#text", text);
    await see("announcement");
    await page.click("#announce");
    await says(page, "Enter your code");
    await see("step-up");
    await page.click("#decline"); // "Back to Clinic console"
    await says(page, "Your clinic at a glance");
    assert.equal(await page.inputValue("#text"), text);
    await see("kept");
    await page.click("#announce");
    await page.click("#use-recovery-code");
    await see("step-up-recovery-code");
    await page.click("#use-code");
    await page.fill("#code", await codeNow(secret));
    await page.keyboard.press("Enter");
    await says(page, "Your clinic at a glance");
    assert.equal(await page.locator("#announcement").textContent(), text);
    await see("announced");
  });

  await step("her devices and codes are on her account page", async () => {
    await page.goto(`${issuer}/account`);
    await see("account-with-codes");
    await page.click("#change-factors");
    await says(page, "Your sign-in codes");
    assert.match(await page.locator("#codes-left").textContent(), /10/);
    await see("factors");
    await page.click("#add-device");
    await says(page, "Set up sign-in codes");
    await see("enroll-more");
    await page.click("#back");
    await later(page.context(), 301, scripted);
    await page.goto(`${issuer}/account/codes`);
    await page.click("#add-device");
    await says(page, "Enter your code");
    await see("step-up-own");
    await page.click("#back");
    await says(page, "Your sign-in codes");
  });
  hers.expectNone();
});
