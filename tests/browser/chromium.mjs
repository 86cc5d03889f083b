// Debian's Chromium, watched: nothing is loaded from elsewhere, nothing lands in the console.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";

import { chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];
const FLAGS = [
  "--disable-gpu",
  "--disable-quic",
  "--disable-sync",
  "--disable-background-networking",
  "--disable-component-update",
  "--no-first-run",
  "--no-proxy-server",
];

function executable() {
  const folders = process.env.PATH.split(":").concat("/usr/bin");
  const all = folders.flatMap((folder) => NAMES.map((name) => path.join(folder, name)));
  const found = all.find((file) => fs.existsSync(file));
  if (!found) throw new Error("no Chromium: run ./check");
  return found;
}

/** Chromium without a window. As root it has no sandbox to give up rights in. */
export function launch() {
  const args = process.getuid() === 0 ? [...FLAGS, "--no-sandbox"] : FLAGS;
  return chromium.launch({ executablePath: executable(), args });
}

/**
 * Watches every page of a context. `flaws()` gives what should not have been: messages in the
 * console (failed loads and CSP among them), errors of scripts, requests to other hosts.
 */
export function watch(context) {
  const flaws = [];
  const excused = [];
  const refusals = new Set(); // pages that say no, with the status that means it
  const underWay = new Set();
  const waiting = [];
  const isOver = (request) => {
    underWay.delete(request);
    if (underWay.size === 0) waiting.splice(0).forEach((resume) => resume());
  };
  const note = (what) => excused.some((pattern) => pattern.test(what)) || flaws.push(what);
  context.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    const isOwn = /^(localhost|127\.0\.0\.1|[a-z0-9-]+\.localhost)$/.test(hostname);
    if (!isOwn && protocol !== "data:") note(`asked for ${request.url()}`);
    underWay.add(request);
  });
  context.on("requestfinished", isOver);
  context.on("requestfailed", isOver);
  context.on("response", (response) => {
    const [status, request] = [response.status(), response.request()];
    if (request.isNavigationRequest() && status >= 400 && status < 500) refusals.add(response.url());
  });
  context.on("console", (message) => {
    const [{ url }, text] = [message.location(), message.text()];
    if (text.startsWith("Failed to load resource") && refusals.has(url)) return;
    if (["error", "warning"].includes(message.type())) note(`${url} says ${text}`);
  });
  context.on("weberror", (error) => note(`a script failed: ${error.error().message}`));
  return {
    /** What a scene brings about on purpose. */
    excuse: (pattern) => excused.push(pattern),
    expectNone: () => assert.deepEqual(flaws, []),
    /** Waits until no request is under way. */
    quiet: () => underWay.size === 0 || new Promise((resume) => waiting.push(resume)),
  };
}
