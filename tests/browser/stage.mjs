// The town that the test built, ways through it, and the look that every page gets.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";

import { launch, watch } from "./chromium.mjs";
import { advance, codeNow, given, password } from "../clients/lab.mjs";

export { issuer, password, step } from "../clients/lab.mjs";

export const { LANYARD_MARA: mara, LANYARD_ADA: ada } = process.env;
/** Who works somewhere, and so has a device; not all are in every town. */
const staff = ["MARA", "SAM", "DANA", "LENA"].map((name) => process.env[`LANYARD_${name}`]);
export const clinics = { juniper: process.env.LANYARD_JUNIPER, birch: process.env.LANYARD_BIRCH };

/** The apps' addresses at a clinic; without one, their own. */
export function apps(clinic) {
  const at = (name) => {
    const url = new URL(given(name));
    if (clinic) url.hostname = `${clinics[clinic]}.${url.hostname}`;
    return url.origin;
  };
  return { patient: at("PATIENT"), clinician: at("CLINICIAN"), console: at("CONSOLE") };
}

const axe = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const SCHEMES = ["light", "dark"];
const WIDTHS = [
  [1280, 800],
  [320, 640],
];

/** The platform's own console, which is no clinic's. */
export const platform = () => new URL(given("PLATFORM")).origin;

/** Another person's browser: cookies of its own. */
export async function newBrowser(browser, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    reducedMotion: "reduce", // no color is looked at on its way to another
    ...options,
  });
  context.setDefaultTimeout(60_000);
  return Object.assign(context, watch(context));
}

/**
 * Time goes by for the server and for every tab of a context whose clock is installed. No question
 * is under way as it jumps: its answer would be of a time that the tab takes for another.
 */
export async function later(context, seconds, scripted = true) {
  if (!scripted) return advance(seconds);
  const { clock } = context;
  const clocks = await Promise.all(context.pages().map((tab) => tab.evaluate(() => Date.now())));
  await clock.pauseAt(Math.max(...clocks) + 100);
  await context.quiet();
  await advance(seconds);
  await clock.fastForward(seconds * 1000);
  await clock.runFor(2000); // a beat or two of each tab
  await clock.resume();
}

/** Runs a scene, and closes the browser however it ends; what was to be seen then is told. */
export async function scene(play) {
  const browser = await launch();
  try {
    await play(browser);
  } catch (error) {
    for (const page of browser.contexts().flatMap((context) => context.pages())) {
      console.log(page.url(), "shows", await page.innerText("body").catch(String));
    }
    throw error;
  } finally {
    await browser.close();
  }
}

/** The page that says this sentence. */
export async function says(page, sentence) {
  const heading = page.getByRole("heading", { level: 1 });
  await heading.filter({ hasText: new RegExp(`^${sentence.replace("?", "\\?")}$`) }).waitFor();
  assert.equal(await heading.count(), 1);
  assert.match(await page.title(), new RegExp(sentence.replace("?", "\\?")));
}

/** Types the code of her device; `secret`: if it is not the one that everybody in town has. */
export async function proveFactor(page, secret) {
  await says(page, "Enter your code");
  await page.fill("#code", await codeNow(secret));
  await page.click("#confirm");
}

/** Fills in the forms of the sign-in that the page shows. Who works in town has a device. */
export async function signIn(page, login, secret = password) {
  await says(page, "Sign in to continue");
  await page.fill("#login", login);
  await page.click("#continue");
  await says(page, "Enter your password");
  await page.fill("#password", secret);
  await page.click("#sign-in");
  if (staff.includes(login) && secret === password) await proveFactor(page);
}

/** The keyboard alone: what has the focus, and the way to something by Tab. */
export function keyboard(page) {
  const focused = () => page.evaluate(() => document.activeElement.id);

  /** Whoever sees the page sees where she is: an outline, and nothing lies above it. */
  const flaw = () =>
    page.evaluate(() => {
      const at = document.activeElement;
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(at);
      const isMarked = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
      if (!isMarked && boxShadow === "none") return "is not marked";
      const { left, top, width, height } = at.getBoundingClientRect();
      const above = document.elementFromPoint(left + width / 2, top + height / 2);
      if (above && (at.contains(above) || above.contains(at))) return "";
      return `lies below ${above?.outerHTML.slice(0, 80)}`;
    });

  /** Goes on to the element of that id, and says what is wrong on the way. */
  async function tabTo(id, most = 30) {
    for (let presses = 0; presses < most; presses += 1) {
      if ((await focused()) === id) return assert.equal(await flaw(), "", id);
      await page.keyboard.press("Tab");
    }
    assert.fail(`Tab does not come to ${id}`);
  }
  return { focused, flaw, tabTo };
}

/**
 * Looks at a page as it is now, as people have it: light and dark, wide and at a phone's width. No
 * violation of axe, nothing wider than the window, nothing to press that is smaller than a finger.
 * `scripted: false`: only screenshots, where scripts do not run.
 */
export async function look(page, name, { scripted = true } = {}) {
  const folder = given("SCREENSHOTS");
  fs.mkdirSync(folder, { recursive: true });
  const before = page.viewportSize();
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme });
    for (const [width, height] of WIDTHS) {
      await page.setViewportSize({ width, height });
      const file = path.join(folder, `${name}-${width}-${colorScheme}.png`);
      await page.screenshot({ path: file, fullPage: true, animations: "disabled" });
      if (scripted) await judge(page, `${name}, ${width}, ${colorScheme}`);
    }
  }
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize(before);
}

async function judge(page, what) {
  await page.evaluate(axe);
  const flaws = await page.evaluate(async (rules) => {
    const { violations } = await window.axe.run(document, { runOnly: rules });
    const found = violations.map((v) => `${v.id}: ${v.nodes.map((node) => node.html)}`);
    const root = document.documentElement;
    if (root.scrollWidth > innerWidth) found.push(`wider than the window: ${root.scrollWidth}`);
    const pressed = document.querySelectorAll(
      "button, .button, select, textarea, input:not([type=hidden], .unseen)",
    );
    for (const one of pressed) {
      // A box is ticked by its label as well.
      const { offsetHeight } = one.type === "checkbox" ? one.labels[0] : one;
      if (offsetHeight > 0 && offsetHeight < 44) found.push(`only ${offsetHeight} high: ${one.id}`);
    }
    return found;
  }, RULES);
  assert.deepEqual(flaws, [], what);
}
