// Her account page: where she is signed in, ending one, ending all, a new password.
import assert from "node:assert/strict";

import { ada, apps, issuer, look, newBrowser, password, says, scene, signIn, step } from "./stage.mjs";

const at = apps("juniper");
const another = "seven bridges over a quiet river";

await scene(async (browser) => {
  const home = await newBrowser(browser);
  const phone = await newBrowser(browser, {
    userAgent:
      "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) " +
      "Chrome/140.0.0.0 Mobile Safari/537.36",
  });
  const [page, onPhone] = [await home.newPage(), await phone.newPage()];

  async function enter(tab, secret) {
    await tab.goto(`${at.patient}/sign-in`);
    await signIn(tab, ada, secret);
    await says(tab, "Your visits");
  }

  await step("the account page lists both browsers, this one first", async () => {
    await enter(onPhone);
    await enter(page);
    await page.click("#account-link");
    await says(page, "Your account");
    assert.equal(new URL(page.url()).origin, issuer);
    const rows = page.locator('section[aria-labelledby="sessions-title"] .row-title');
    assert.equal(await rows.count(), 2);
    assert.match(await rows.first().textContent(), /This device/);
    assert.match(await rows.nth(1).textContent(), /Android/);
    await look(page, "account");
  });

  await step("she ends the other one, and its app is closed", async () => {
    await page.getByRole("button", { name: "Sign out", exact: true }).nth(1).click();
    await page.locator("#notice").waitFor();
    await look(page, "account-notice");
    await onPhone.reload();
    await says(onPhone, "Your session was ended elsewhere");
    await onPhone.goto(`${at.patient}/sign-in`);
    await says(onPhone, "Sign in to continue");
  });

  await step("she changes her password, after mistakes", async () => {
    await enter(onPhone);
    await page.click("#change-password");
    await says(page, "Change your password");
    await look(page, "change-password");
    await page.fill("#current_password", "not the current one");
    await page.fill("#new_password", another);
    await page.click("#save-password");
    await page.locator("#problem").waitFor();
    await look(page, "change-password-problem");
    await page.fill("#current_password", password);
    await page.fill("#new_password", "password1234567890");
    await page.click("#save-password");
    await page.locator("#problem").waitFor();
    await page.fill("#current_password", password);
    await page.fill("#new_password", another);
    await page.click("#save-password");
    await says(page, "Your account");
    await page.locator("#notice").waitFor();
  });

  await step("that ended the others, and the old password opens nothing", async () => {
    await page.goto(at.patient);
    await says(page, "Your visits");
    await onPhone.goto(at.patient);
    await says(onPhone, "Your session was ended elsewhere");
    await onPhone.goto(`${at.patient}/sign-in`);
    await signIn(onPhone, ada, password);
    await onPhone.locator("#problem").waitFor();
    await onPhone.fill("#password", another);
    await onPhone.click("#sign-in");
    await says(onPhone, "Your visits");
  });

  await step("she ends all", async () => {
    await page.click("#account-link");
    await page.click("#end-all-button");
    await says(page, "You are signed out");
    await look(page, "signed-out-of-issuer");
    await page.goto(at.patient);
    await says(page, "Your session was ended elsewhere");
    await onPhone.goto(at.patient);
    await says(onPhone, "Your session was ended elsewhere");
  });
  home.expectNone();
  phone.expectNone();
});
