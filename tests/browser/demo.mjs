// What a newcomer does: opens the demo's page, takes a person's address and password from it, signs
// in, opens the other apps, reads the mail that was caught.
import assert from "node:assert/strict";

import { given } from "../clients/lab.mjs";
import { issuer, look, newBrowser, proveFactor, says, scene, signIn, step } from "./stage.mjs";

const ruth = given("RUTH");

await scene(async (browser) => {
  const hers = await newBrowser(browser);
  const page = await hers.newPage();
  const made_up = () => page.getByText("Every person and record here is made up.").waitFor();
  await hers.route(`${issuer}/demo**`, async (route) => {
    const { pathname } = new URL(route.request().url());
    const headers = { ...route.request().headers(), host: new URL(issuer).host };
    await route.fulfill({ response: await route.fetch({ url: given("PAGES") + pathname, headers }) });
  });

  await step("the front page shows who there is", async () => {
    await page.goto(`${issuer}/demo`);
    await says(page, "Try Lanyard");
    await made_up();
    await look(page, "demo");
  });

  await step("with what it shows, she is in all three apps", async () => {
    const row = page.locator("#people tbody tr", { hasText: ruth }).first();
    const [login, password] = await row.locator("code").allTextContents();
    assert.equal(login, ruth);
    await row.getByRole("link").click();
    await made_up();
    await page.click("#sign-in");
    await signIn(page, login, password);
    await proveFactor(page, given("RUTHS_PHONE"));
    for (const [app, sentence] of [
      ["Patient portal", "Your visits"],
      ["Clinician portal", "Your patients' visits"],
      ["Clinic console", "Your clinic at a glance"],
    ]) {
      await page.getByRole("link", { name: app }).click();
      await says(page, sentence);
      await look(page, `demo-${app.toLowerCase().replace(" ", "-")}`);
    }
  });

  await step("she is told of the new device", async () => {
    const letter = page.locator("#messages a").first();
    await page.goto(`${issuer}/demo`);
    await page.click("#mail-link");
    await says(page, "Caught mail");
    while (!(await letter.isVisible())) await page.reload();
    await made_up();
    await look(page, "demo-mail");
    await letter.click();
    await says(page, "A caught message");
    assert.equal(await page.locator("#to").textContent(), ruth);
    await look(page, "demo-message");
    await page.click("#back");
    await page.click("#home");
    await says(page, "Try Lanyard");
  });
  hers.expectNone();
});
