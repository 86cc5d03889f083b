// From the app's front page to her visits and out again without a mouse.
import assert from "node:assert/strict";

import { ada, apps, newBrowser, password, says, scene, step } from "./stage.mjs";

await scene(async (browser) => {
  const hers = await newBrowser(browser);
  const page = await hers.newPage();
  const focused = () => page.evaluate(() => document.activeElement.id);

  /** Goes on with Tab to the element of that id; whoever sees the page sees where she is. */
  async function tabTo(id) {
    for (let presses = 0; presses < 20; presses += 1) {
      if ((await focused()) === id) return assert(await isMarked(), `${id} is not marked`);
      await page.keyboard.press("Tab");
    }
    assert.fail(`Tab does not come to ${id}`);
  }

  const isMarked = () =>
    page.evaluate(() => {
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement);
      return (outlineStyle !== "none" && parseFloat(outlineWidth) >= 2) || boxShadow !== "none";
    });

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
