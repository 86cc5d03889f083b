// The end that no activity moves, after 20 minutes here: told two minutes before, then it comes.
import assert from "node:assert/strict";

import { apps, later, look, mara, newBrowser, says, scene, signIn, step } from "./stage.mjs";

await scene(async (browser) => {
  const hers = await newBrowser(browser);
  await hers.clock.install();
  const page = await hers.newPage();
  const warning = page.locator("#session-warning");

  await step("being busy moves the idle end, without a question", async () => {
    await page.goto(`${apps("juniper").patient}/sign-in`);
    await signIn(page, mara);
    await says(page, "Your visits");
    await later(hers, 10 * 60);
    const told = page.waitForResponse((response) => response.url().endsWith("/session/activity"));
    await page.keyboard.press("Shift");
    assert.equal((await told).status(), 200);
    await later(hers, 7 * 60);
    await warning.waitFor({ state: "hidden" });
  });

  await step("the end is told, and that nothing moves it", async () => {
    await later(hers, 70);
    await warning.waitFor();
    await warning.getByRole("heading", { name: "Your session ends soon" }).waitFor();
    await look(page, "warning-final");
    await page.getByRole("button", { name: "Go on until then" }).click();
    await warning.waitFor({ state: "hidden" });
  });

  await step("then it comes", async () => {
    await later(hers, 2 * 60);
    await says(page, "Your session has reached its end");
    await look(page, "signed-out-expired");
    await page.click("#sign-in-again");
    await says(page, "Sign in to continue");
  });
  hers.expectNone();
});
