// Support asks to act as Ada, goes into her app under a banner that stays, and ends it; she looks
// on, and ends the next one herself. node support.mjs
import assert from "node:assert/strict";

import { given } from "../clients/lab.mjs";
import {
  ada, apps, issuer, keyboard, later, look, mara, newBrowser, platform, proveFactor, says, scene,
  signIn, step,
} from "./stage.mjs";

const at = apps("juniper");
const why = "She can see no visit of hers since Monday";

await scene(async (browser) => {
  const his = await newBrowser(browser);
  await his.clock.install();
  const page = await his.newPage();
  const { flaw, tabTo } = keyboard(page);
  const hers = await newBrowser(browser);
  const herPage = await hers.newPage();
  const banner = page.locator(".lanyard-banner");
  const renewals = [];
  page.on("request", (request) => {
    const { origin, pathname, searchParams } = new URL(request.url());
    const isOfTheSession = searchParams.has("id_token_hint"); // entering brings a login_hint
    if (origin === issuer && pathname === "/authorize" && isOfTheSession) renewals.push(request);
  });

  /** He asks on the form, which the keyboard alone fills in. */
  async function ask() {
    await page.goto(`${platform()}/support`);
    await says(page, "Who acts for whom");
    const typed = {
      clinic: process.env.LANYARD_JUNIPER,
      subject: given("ADAS_ID"),
      reason: why,
      ticket: "HELP-4711",
    };
    for (const [field, value] of Object.entries(typed)) {
      await tabTo(field);
      await page.keyboard.type(value);
    }
    await tabTo("ask-button");
    await page.keyboard.press("Enter");
    await page.locator("#notice", { hasText: "Asked." }).waitFor();
  }

  const start = () => page.getByRole("button", { name: "Start" }).click();
  const began = () => page.locator("#notice", { hasText: "It began." }).waitFor();

  /** From the list, by the issuer's page, into her patient portal. */
  async function enter() {
    await page.getByRole("link", { name: "Open an app" }).click();
    await says(page, "Go in as somebody else");
    assert.equal(new URL(page.url()).origin, issuer);
  }

  async function goIn() {
    await page.click("#enter-lanyard-patient button");
    await says(page, "Your visits");
    assert.equal(new URL(page.url()).origin, at.patient);
  }

  /** The banner names both, is the first thing to see wherever the page is scrolled to, and has
   * nothing to press but its end. */
  async function seesBanner() {
    assert.equal(await banner.count(), 1);
    assert.equal(await banner.getAttribute("role"), "status");
    assert.match(await banner.textContent(), /^Sam Porter is acting as Ada Quill \(read-only\)/);
    assert.deepEqual(await banner.locator("a, button").allTextContents(), ["End now"]);
    for (const height of [800, 500]) {
      await page.setViewportSize({ width: 320, height });
      await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
      const { top, height: high, above } = await banner.evaluate((element) => {
        const { top, height, left, width } = element.getBoundingClientRect();
        const first = document.elementFromPoint(left + width / 2, top + height / 2);
        return { top, height, above: element.contains(first) ? "" : first.outerHTML };
      });
      assert.equal(above, "", "something lies above the banner");
      assert.equal(top, 0, "it scrolls away");
      assert(high < height / 2, `it takes ${high} of ${height}`);
    }
    await page.setViewportSize({ width: 1280, height: 800 });
  }

  await step("he signs in to the platform's console", async () => {
    await page.goto(platform());
    await says(page, "Welcome to the platform console");
    await look(page, "welcome-platform");
    await page.click("#sign-in");
    await signIn(page, given("SAM"));
    await says(page, "The platform at a glance");
    assert.equal(await page.locator("#endings-link").count(), 0);
    await look(page, "platform-of-support");
  });

  await step("he asks, and starts when he has confirmed", async () => {
    await page.click("#support-link");
    await says(page, "Who acts for whom");
    await look(page, "acting-none");
    await ask();
    await later(his, 301);
    await start();
    await proveFactor(page);
    await began();
    await look(page, "acting-active");
  });

  await step("what is left counts down", async () => {
    const left = async () => {
      const [, minutes, seconds] = /^in (\d+):(\d\d)$/.exec(await page.textContent(".until"));
      return minutes * 60 + Number(seconds);
    };
    const before = await left();
    await later(his, 120);
    assert(before - (await left()) >= 120);
  });

  await step("he goes into her app", async () => {
    await enter();
    await look(page, "enter");
    await goIn();
    await look(page, "acted-visits");
  });

  await step("the banner stays, whatever he does", async () => {
    for (const path of ["/accesses", "/proxies", "/"]) {
      await page.goto(at.patient + path);
      await seesBanner();
      await page.keyboard.press("Escape");
      await banner.waitFor();
      assert.equal(await page.locator("#account-link, nav.apps").count(), 0, path);
      if (path === "/accesses") await look(page, "acted-refused");
    }
  });

  await step("it hides nothing from who goes by the keyboard", async () => {
    await page.setViewportSize({ width: 320, height: 500 });
    await page.goto(at.patient);
    for (const key of ["Tab", "Shift+Tab"]) {
      for (let presses = 0; presses < 10; presses += 1) {
        await page.keyboard.press(key);
        if (await page.evaluate(() => document.activeElement === document.body)) break;
        assert.equal(await flaw(), "", `${key}, ${presses}`);
      }
    }
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  await step("his next token comes under the same banner", async () => {
    const before = renewals.length;
    await later(his, 270);
    await page.goto(at.patient);
    await says(page, "Your visits");
    assert.equal(page.url(), `${at.patient}/`);
    assert(renewals.length > before);
    await seesBanner();
  });

  await step("she sees who acts for her, and what was opened", async () => {
    await herPage.goto(`${at.patient}/sign-in`);
    await signIn(herPage, ada);
    await says(herPage, "Your visits");
    assert.equal(await herPage.locator(".lanyard-banner").count(), 0);
    await herPage.click("#account-link");
    await herPage.locator("#support-note", { hasText: "acts for you just now" }).waitFor();
    await herPage.click("#see-support");
    await says(herPage, "Support access");
    await herPage.getByText(why).waitFor();
    await herPage.locator("summary").click();
    await herPage.getByText("Your visits (GET /api/v1/visits)").waitFor();
    await look(herPage, "support-access");
  });

  await step("so does her clinic", async () => {
    const context = await newBrowser(browser);
    const clinic = await context.newPage();
    await clinic.goto(`${at.console}/sign-in`);
    await signIn(clinic, mara);
    await says(clinic, "Your clinic at a glance");
    await clinic.goto(`${at.console}/support`);
    await clinic.getByText("Sam Porter").first().waitFor();
    await look(clinic, "clinic-support");
    context.expectNone();
  });

  await step("before its time is up he is told so, in words that are true", async () => {
    const facts = await page.locator('meta[name="lanyard-session"]').getAttribute("content");
    const now = await page.evaluate(() => Date.now());
    await later(his, Math.floor((JSON.parse(facts).session_ends_at - now) / 1000) - 110);
    await page.locator("#session-warning").waitFor();
    await page.getByRole("heading", { name: "This access ends soon" }).waitFor();
    await page.locator(".lanyard-banner-left", { hasText: /^2 minutes left\.$/ }).waitFor();
    const size = page.viewportSize();
    for (const [width, height] of [[320, 640], [1280, 800]]) {
      await page.setViewportSize({ width, height });
      const [banner, warning] = await page.evaluate(() =>
        [".lanyard-banner", "#session-warning"].map((part) => {
          const { top, bottom } = document.querySelector(part).getBoundingClientRect();
          return { top, bottom };
        }),
      );
      assert(banner.top === 0 && banner.bottom <= warning.top, "the warning hides the banner");
    }
    await page.setViewportSize(size);
    await look(page, "acted-warning");
    await page.click("#session-stay-button");
    await page.locator("#session-warning").waitFor({ state: "hidden" });
  });

  await step("he ends it from the banner, by the keyboard", async () => {
    await page.goto(at.patient);
    await page.locator(".lanyard-banner-end").focus();
    await page.keyboard.press("Enter");
    await says(page, "This access is over");
    assert.equal(new URL(page.url()).origin, at.patient);
    assert.equal(await page.locator("#sign-in-again").count(), 0);
    await look(page, "access-over");
    await page.goBack(); // what was on the screen is not shown again
    await says(page, "Welcome to your patient portal");
    await herPage.reload();
    await herPage.getByText("Over: ").waitFor();
  });

  await step("where he works it is over too, and he is still signed in", async () => {
    await page.goto(`${platform()}/support`);
    await page.getByText("support ended it").waitFor();
  });

  await step("the next one she ends, and his page is over at once", async () => {
    await ask();
    await later(his, 301);
    await start();
    await proveFactor(page);
    await began();
    await enter();
    const entrance = page.url();
    await goIn();
    await herPage.reload();
    await herPage.getByRole("button", { name: "End now" }).click();
    await herPage.locator("#notice", { hasText: "It is over." }).waitFor();
    await page.reload();
    await says(page, "This access is over");
    await page.goto(entrance);
    await says(page, "This access is over");
    await look(page, "enter-over");
  });
  his.expectNone();
  hers.expectNone();
});
