// Who runs the platform looks at all of it by the keyboard, follows its log, stops support, and
// ends a clinic's sessions with proof. node platform.mjs
import assert from "node:assert/strict";

import { given } from "../clients/lab.mjs";
import {
  apps, clinics, issuer, keyboard, later, look, mara, newBrowser, platform, proveFactor, says,
  scene, signIn, step,
} from "./stage.mjs";

await scene(async (browser) => {
  const hers = await newBrowser(browser);
  await hers.clock.install();
  const page = await hers.newPage();
  const { focused, tabTo } = keyboard(page);
  const his = await newBrowser(browser);
  const hisPage = await his.newPage();

  /** From the first page along a link, without a mouse. */
  async function goAlong(link, sentence) {
    await page.goto(platform());
    await says(page, "The platform at a glance");
    await tabTo(link);
    await page.keyboard.press("Enter");
    await says(page, sentence);
  }

  await step("she signs in", async () => {
    await page.goto(`${platform()}/sign-in`);
    await signIn(page, given("DANA"));
    await says(page, "The platform at a glance");
    await look(page, "platform");
  });

  await step("who checks tokens, and who is silent", async () => {
    await goAlong("verifiers-link", "Who checks our tokens");
    assert.match(await page.locator("#stale").textContent(), /^1 of 2/);
    await look(page, "fleet");
  });

  await step("the log goes on by itself once she ticks the box", async () => {
    await goAlong("log-link", "What is on the platform's record");
    await page.evaluate(() => (window.isTheSamePage = true));
    await tabTo("follow");
    await page.keyboard.press("Space");
    const before = await page.locator("#entries tbody tr").count();
    await hisPage.goto(`${issuer}/account`);
    await hisPage.fill("#login", given("SAM"));
    await hisPage.click("#continue");
    await hisPage.fill("#password", "not his password");
    await hisPage.click("#sign-in");
    await hisPage.locator("#problem").waitFor();
    await page.locator('#entries tr[data-type="sign_in.refused"]').first().waitFor();
    assert.match(await page.locator("#news").textContent(), /^\d+ new$/);
    assert((await page.locator("#entries tbody tr").count()) > before);
    assert(await page.evaluate(() => window.isTheSamePage));
    assert.equal(await focused(), "follow");
    await look(page, "platform-log-live");
    await page.keyboard.press("Space");
  });

  await step("she has the log checked", async () => {
    await tabTo("verify-button");
    await page.keyboard.press("Enter");
    await page.locator("#verdict", { hasText: "Nothing was changed." }).waitFor();
    await look(page, "platform-log-checked");
  });

  await step("support asks and starts", async () => {
    await hisPage.goto(`${platform()}/sign-in`);
    await signIn(hisPage, given("SAM"));
    await says(hisPage, "The platform at a glance");
    await hisPage.goto(`${platform()}/support`);
    await hisPage.fill("#clinic", clinics.juniper);
    await hisPage.fill("#subject", given("ADAS_ID"));
    await hisPage.fill("#reason", "She can see no visit of hers");
    await hisPage.fill("#ticket", "HELP-4712");
    await hisPage.click("#ask-button");
    await hisPage.getByRole("button", { name: "Start" }).click();
    await hisPage.locator("#notice", { hasText: "It began." }).waitFor();
  });

  await step("she sees who acts, but not why, and stops all", async () => {
    await goAlong("support-link", "Who acts for whom");
    await page.getByText("Sam Porter at Juniper Family Clinic").waitFor();
    assert(!(await page.textContent("main")).includes("She can see no visit"));
    await look(page, "acting-overseen");
    await tabTo("stop-all-button");
    await page.keyboard.press("Enter");
    await page.locator("#notice", { hasText: "All are over." }).waitFor();
    await hisPage.reload();
    await hisPage.getByText("the platform ended it").waitFor();
  });

  await step("she ends everything of a clinic, and sees that it is done", async () => {
    await his.clearCookies();
    await hisPage.goto(`${apps("juniper").console}/sign-in`);
    await signIn(hisPage, mara);
    await says(hisPage, "Your clinic at a glance");
    await later(hers, 301);
    await goAlong("endings-link", "In an emergency");
    await look(page, "endings");
    await tabTo("clinic");
    await page.keyboard.type(clinics.juniper);
    await tabTo("again");
    await page.keyboard.type(clinics.juniper);
    await tabTo("end-button");
    await page.keyboard.press("Enter");
    await proveFactor(page);
    await page.locator("#notice", { hasText: "Ordered." }).waitFor();
    const complete = page.locator("#endings", { hasText: "Counted last: 0 left." });
    while (!(await complete.isVisible())) await page.goto(`${platform()}/endings`);
    await look(page, "endings-complete");
    await hisPage.reload();
    await says(hisPage, "Your session was ended elsewhere");
  });

  await step("a key is withdrawn by who ticks that he means it", async () => {
    const form = page.locator('form[id^="withdraw-"]').first();
    const kid = await form.locator('[name="kid"]').getAttribute("value");
    await tabTo(`sure-${kid}`);
    await page.keyboard.press("Space");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.locator("#notice", { hasText: "Withdrawn." }).waitFor();
    assert.equal(await page.locator(`[id="key-${kid}"]`).count(), 0);
  });
  hers.expectNone();
  his.expectNone();
});
