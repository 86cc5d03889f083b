// One sign-in opens three apps; one logout closes them. node three_apps.mjs with-script|without-script
import assert from "node:assert/strict";

import {
  apps, clinics, issuer, look, mara, newBrowser, proveFactor, says, scene, signIn, step,
} from "./stage.mjs";

const scripted = process.argv[2] === "with-script";
const at = apps("juniper");
const name = (page) => (scripted ? page : `without-script-${page}`);

await scene(async (browser) => {
  const hers = await newBrowser(browser, { javaScriptEnabled: scripted });
  const page = await hers.newPage();
  const see = (shown) => look(page, name(shown), { scripted });
  const owner = () => page.locator(".owner-name").textContent();

  await step("the patient app's front page", async () => {
    await page.goto(at.patient);
    await says(page, "Welcome to your patient portal");
    assert.equal(await owner(), "Juniper Family Clinic");
    await see("welcome-patient");
  });

  await step("signs in, after two mistakes", async () => {
    await page.click("#sign-in");
    await says(page, "Sign in to continue");
    assert.equal(await owner(), "Juniper Family Clinic");
    await see("identifier");
    await page.fill("#login", "no address at all");
    await page.click("#continue");
    await page.locator("#problem").waitFor();
    await see("identifier-problem");
    await page.fill("#login", mara);
    await page.click("#continue");
    await says(page, "Enter your password");
    await see("password");
    await page.fill("#password", "not her password");
    await page.click("#sign-in");
    await page.locator("#problem").waitFor();
    await see("password-problem");
    await page.fill("#password", process.env.LANYARD_PASSWORD);
    await page.click("#sign-in");
    await says(page, "Enter your code");
    await see("code");
    await page.fill("#code", "000000");
    await page.click("#confirm");
    await page.locator("#problem").waitFor();
    await see("code-problem");
    await proveFactor(page);
    await says(page, "Your visits");
    assert.equal(new URL(page.url()).origin, at.patient);
    assert.equal(await page.locator("#visits tbody tr").count(), 1);
    await see("visits-patient");
  });

  await step("the clinician app asks for nothing", async () => {
    await page.getByRole("link", { name: "Clinician portal" }).click();
    await says(page, "Your patients' visits");
    assert.equal(new URL(page.url()).origin, at.clinician);
    assert.equal(await page.locator("#visits tbody tr").count(), 4);
    await see("visits-clinician");
  });

  await step("the console asks for nothing", async () => {
    await page.getByRole("link", { name: "Clinic console" }).click();
    await says(page, "Your clinic at a glance");
    assert.equal(new URL(page.url()).origin, at.console);
    assert.equal(await page.locator("#members tbody tr").count(), 3);
    await see("console");
  });

  await step("an app without a clinic's host asks which clinic", async () => {
    await page.goto(apps().patient);
    await says(page, "Welcome to your patient portal");
    await page.click("#sign-in");
    await says(page, "Choose your clinic");
    await see("chooser");
    await page.click(`#organization-${clinics.birch}`);
    await says(page, "Your visits");
    assert.equal(await owner(), "Birch Street Pediatrics");
    await see("visits-none");
  });

  await step("one logout closes them all", async () => {
    await page.goto(at.clinician);
    await says(page, "Your patients' visits");
    await page.click("#sign-out-button");
    await says(page, "You are signed out");
    assert.equal(new URL(page.url()).origin, at.clinician);
    await see("signed-out");
    await page.goBack(); // what was on the screen is not shown again
    await says(page, "Welcome to your clinician portal");
    for (const app of [at.console, at.patient, apps().patient]) {
      await page.goto(app);
      await says(page, "Your session was ended elsewhere");
    }
    await see("signed-out-elsewhere");
    await page.click("#sign-in-again");
    await says(page, "Sign in to continue");
    await page.goto(`${issuer}/account`);
    await says(page, "Sign in to continue");
    await signIn(page, mara);
    await says(page, "Your account");
  });
  hers.expectNone();
});
