// Where no script runs, a page says when it will leave, and leaves. The idle limit is 8 seconds.
import assert from "node:assert/strict";

import { ada, apps, look, newBrowser, says, scene, signIn, step } from "./stage.mjs";

await scene(async (browser) => {
  const hers = await newBrowser(browser, { javaScriptEnabled: false });
  const page = await hers.newPage();

  await step("the page says until when", async () => {
    await page.goto(`${apps("juniper").patient}/sign-in`);
    await signIn(page, ada);
    await says(page, "Your visits");
    assert.match(await page.locator("footer").innerText(), /signs you out at \d?\d:\d\d [AP]M UTC/);
  });

  await step("and then it leaves by itself", async () => {
    await says(page, "You were signed out because you were away");
    await look(page, "without-script-signed-out-idle", { scripted: false });
  });
  hers.expectNone();
});
