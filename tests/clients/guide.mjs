// Runs what a guide has its reader write, as a program of its own with settings of its own.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import net from "node:net";

import { given, issuer, register } from "./lab.mjs";

export const audience = given("AUDIENCE");
export const clinic = given("CLINIC");

export async function freePort() {
  const probe = net.createServer().listen(0, "127.0.0.1");
  await new Promise((ready) => probe.once("listening", ready));
  const { port } = probe.address();
  await new Promise((closed) => probe.close(closed));
  return port;
}

/** Asks until it says yes, for half a minute. */
export async function waitFor(condition, what) {
  for (let tries = 0; tries < 600; tries += 1) {
    const found = await condition();
    if (found) return found;
    await new Promise((later) => setTimeout(later, 50));
  }
  assert.fail(`in half a minute: ${what}`);
}

const children = [];
process.on("exit", () => children.forEach((child) => child.kill()));

/** Starts a program; what it prints is passed on, and `lines` gives it. */
export function start(program, file, settings) {
  const env = { ...process.env, ISSUER: issuer, ...settings };
  const child = spawn(program, [file], { env, stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const lines = [];
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop();
    lines.push(...parts);
  });
  const line = (number) =>
    waitFor(() => {
      assert(child.exitCode === null || lines.length > number, `${file} ended: ${lines}`);
      return lines[number];
    }, `${file} says more than ${lines}`);
  return { child, line };
}

/** Starts a program that listens; gives its address. */
export async function serve(program, file, settings) {
  const port = settings.PORT ?? String(await freePort());
  const at = `http://127.0.0.1:${port}`;
  const { child } = start(program, file, { ...settings, PORT: port });
  await waitFor(() => {
    assert.equal(child.exitCode, null, `${file} ended`);
    return fetch(at).catch(() => false);
  }, `${file} answers`);
  return at;
}

/** The API of the guide for Node, or any other. */
export const serveApi = (program, file) =>
  serve(program, file, {
    AUDIENCE: audience,
    API_CLIENT_ID: given("API_CLIENT_ID"),
    API_CLIENT_SECRET: given("API_CLIENT_SECRET"),
  });

/** Registers an app of a guide. */
export const registerApp = (client) =>
  register({ audience, scopes: ["openid", "profile", "email", "visits:read"], ...client });
