// She forgot her password: a link by mail, a new password, and signing in with it.
import assert from "node:assert/strict";

import { mailTo } from "../clients/lab.mjs";
import { ada, apps, look, newBrowser, says, scene, signIn, step } from "./stage.mjs";

const at = apps("juniper");
const fresh = "seven bridges over a quiet river";

await scene(async (browser) => {
  const home = await newBrowser(browser);
  const page = await home.newPage();

  await step("she asks for a link, with the keyboard alone", async () => {
    await page.goto(`${at.patient}/sign-in`);
    await says(page, "Sign in to continue");
    await page.fill("#login", ada);
    await page.keyboard.press("Enter");
    await says(page, "Enter your password");
    await look(page, "password-with-recovery");
    await page.focus("#forgot-password");
    await page.keyboard.press("Enter");
    await says(page, "Choose a new password");
    assert.equal(await page.inputValue("#login"), ada);
    await look(page, "recovery");
    await page.focus("#login");
    await page.keyboard.press("Enter");
    await says(page, "Look into your mail");
    await look(page, "recovery-sent");
  });

  const [letter] = (await mailTo(ada)).filter(({ body }) => body.includes("?key="));
  const link = letter.body.match(/http\S+/)[0];

  await step("the link opens a form, and is not in the address", async () => {
    await page.goto(link);
    await says(page, "Set your new password");
    assert.equal(new URL(page.url()).search, "");
    await look(page, "new-password");
    await page.fill("#new_password", "password1234567890");
    await page.click("#save-password");
    await page.locator("#problem").waitFor();
    await look(page, "new-password-problem");
    await page.fill("#new_password", fresh);
    await page.click("#save-password");
    await says(page, "Your new password is set");
    await look(page, "recovery-done");
  });

  await step("she signs in with it, and the link is dead", async () => {
    await page.goto(`${at.patient}/sign-in`);
    await signIn(page, ada, fresh);
    await says(page, "Your visits");
    await page.goto(link);
    await says(page, "This link no longer works");
    await look(page, "dead-link");
  });

  home.expectNone();
});
