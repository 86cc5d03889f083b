// A clinician opens a record in an emergency, the clinic sees it come and reviews it, and a
// daughter acts for her mother. node care.mjs
import assert from "node:assert/strict";

import { given } from "../clients/lab.mjs";
import {
  ada, apps, keyboard, look, mara, newBrowser, proveFactor, says, scene, signIn, step,
} from "./stage.mjs";

const at = apps("juniper");
const why = "Found in the waiting room, not breathing";

await scene(async (browser) => {
  const open = async (app, login, sentence) => {
    const context = await newBrowser(browser);
    const page = await context.newPage();
    await page.goto(`${app}/sign-in`);
    await signIn(page, login);
    await says(page, sentence);
    return { context, page, ...keyboard(page) };
  };
  /** Confirms, if the last code was too long ago, and comes to what it is for. */
  async function confirmed(page, to) {
    await page.locator(`#code, ${to}`).first().waitFor();
    if (await page.locator("#code").isVisible()) await proveFactor(page);
    await page.locator(to).waitFor();
  }

  const desk = await open(at.clinician, mara, "Your patients' visits");
  const clinician = desk.page;
  const review = await open(at.console, given("LENA"), "Your clinic at a glance");
  const reviewer = review.page;

  await step("the clinic's log is followed", async () => {
    await reviewer.click("#log-link");
    await says(reviewer, "What is on your clinic's record");
    await reviewer.evaluate(() => (window.isTheSamePage = true));
    await review.tabTo("follow");
    await reviewer.keyboard.press("Space");
    assert(await reviewer.isChecked("#follow"));
  });

  await step("he finds the patient, by the keyboard", async () => {
    await desk.tabTo("emergency-link");
    await clinician.keyboard.press("Enter");
    await says(clinician, "Open a record in an emergency");
    await look(clinician, "emergency");
    await desk.tabTo("name");
    await clinician.keyboard.type("stone");
    await clinician.keyboard.press("Enter");
    await clinician.locator("#open-form").waitFor();
    await look(clinician, "emergency-found");
  });

  await step("he says why, confirms, and looks", async () => {
    await clinician.selectOption("#patient", { label: "Ben Stone" });
    await clinician.selectOption("#reason", "life_threatening");
    await desk.tabTo("why");
    await clinician.keyboard.type(why);
    await desk.tabTo("open-record");
    await clinician.keyboard.press("Enter");
    await confirmed(clinician, "#open");
    await clinician.locator("#open", { hasText: "Ben Stone" }).waitFor();
    await look(clinician, "emergency-open");
    await clinician.getByRole("link", { name: "Look at Ben Stone's visits" }).click();
    await says(clinician, "Another person's visits");
    await clinician.locator("#record-banner", { hasText: "Ben Stone" }).waitFor();
    await look(clinician, "record-emergency");
    await clinician.click("#back");
    await clinician.getByRole("button", { name: "Close Ben Stone's record" }).click();
    await clinician.locator("#open").waitFor({ state: "detached" });
    await look(clinician, "emergency-closed");
  });

  await step("the log has shown it by itself, and says so aloud", async () => {
    for (const type of ["emergency_access.opened", "emergency_access.read"]) {
      await reviewer.locator(`#entries tr[data-type="${type}"]`).first().waitFor();
    }
    assert.match(await reviewer.locator("#news").textContent(), /^\d+ new$/);
    assert(await reviewer.evaluate(() => window.isTheSamePage));
    assert.equal(await review.focused(), "follow");
    await look(reviewer, "log-live");
  });

  await step("it waits for her review until she signs it off", async () => {
    await reviewer.click("#back-home");
    await reviewer.locator("#emergencies-note").waitFor();
    await look(reviewer, "console-emergencies");
    await reviewer.click("#reviews-link");
    await says(reviewer, "What waits for your eyes");
    await look(reviewer, "reviews");
    await reviewer.click("#back-home");
    await reviewer.locator("#emergencies-note a").click();
    await says(reviewer, "Records opened in an emergency");
    await reviewer.getByText(why).waitFor();
    await look(reviewer, "emergencies");
    const note = await reviewer.locator("textarea").getAttribute("id");
    await review.tabTo(note);
    await reviewer.keyboard.type("The patient was resuscitated");
    await review.tabTo(note.replace("note", "appropriate"));
    await reviewer.keyboard.press("Enter");
    await confirmed(reviewer, "#nothing-here");
    await look(reviewer, "emergencies-none");
  });

  await step("the clinic writes down who acts for whom", async () => {
    await clinician.goto(at.console);
    await clinician.click("#delegations-link");
    await says(clinician, "Who acts for whom");
    await look(clinician, "delegations-none");
    await clinician.selectOption("#patient", { label: "Ada Quill" });
    await clinician.selectOption("#proxy", { label: "Pat Quill" });
    await clinician.selectOption("#basis", "power_of_attorney");
    await desk.tabTo("document");
    await clinician.keyboard.type("POA-17");
    await desk.tabTo("create");
    await clinician.keyboard.press("Enter");
    await confirmed(clinician, "#delegations");
    await clinician.locator("#delegations", { hasText: "Pat Quill for Ada Quill" }).waitFor();
    await look(clinician, "delegations");
  });

  await step("the proxy looks, under a banner", async () => {
    const proxy = await open(at.patient, given("PAT"), "Your visits");
    await proxy.tabTo("proxies-link");
    await proxy.page.keyboard.press("Enter");
    await says(proxy.page, "Acting for somebody");
    await look(proxy.page, "proxies-of-the-proxy");
    await proxy.page.getByRole("link", { name: "Look at Ada Quill's visits" }).click();
    await says(proxy.page, "Another person's visits");
    await proxy.page.locator("#record-banner", { hasText: "Ada Quill" }).waitFor();
    assert.equal(await proxy.page.locator("#visits tbody tr").count(), 3);
    await look(proxy.page, "record-proxy");
    proxy.context.expectNone();
  });

  await step("the patient sees who acts for her, and who looked", async () => {
    const patient = await open(at.patient, ada, "Your visits");
    await patient.page.click("#proxies-link");
    await says(patient.page, "Acting for somebody");
    await patient.page.locator("#act-for-you", { hasText: "Pat Quill" }).waitFor();
    await look(patient.page, "proxies-of-the-patient");
    await patient.page.getByRole("link", { name: "who saw your record" }).click();
    await says(patient.page, "Who saw your record");
    const seen = patient.page.locator("#accesses", { hasText: "Pat Quill" });
    while (!(await seen.isVisible())) await patient.page.reload();
    await look(patient.page, "accesses");
    patient.context.expectNone();
  });
  desk.context.expectNone();
  review.context.expectNone();
});
