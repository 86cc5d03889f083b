// From the app's front page to her visits and out again without a mouse.
import assert from "node:assert/strict";

import { ada, apps, keyboard, newBrowser, password, says, scene, step } from "./stage.mjs";

await scene(async (browser) => {
  const hers = await newBrowser(browser);
  const page = await hers.newPage();
  const { focused, tabTo } = keyboard(page);

  await step("to the sign-in", async () => {
    await page.goto(apps("juniper").patient);
    await tabTo("sign-in");
    await page.keyboard.press("Enter");
    await says(page, "Sign in to continue");
  });

  await step("through it: each field has the focus when its page comes", async () => {
    assert.equal(await focused(), "login");
    await page.keyboard.type(ada);
    await page.keyboard.press("Enter");
    await says(page, "Enter your password");
    assert.equal(await focused(), "password");
    await page.keyboard.type("a mistake");
    await page.keyboard.press("Enter");
    await page.locator("#problem").waitFor();
    assert.equal(await focused(), "password");
    await page.keyboard.type(password);
    await tabTo("sign-in");
    await page.keyboard.press("Space");
    await says(page, "Your visits");
  });

  await step("past the bar by the first link, and out", async () => {
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await focused(), "main");
    await page.goto(apps("juniper").patient);
    await tabTo("sign-out-button");
    await page.keyboard.press("Enter");
    await says(page, "You are signed out");
    await tabTo("sign-in-again");
  });
  hers.expectNone();
});
