// What the test that started this script gave it: addresses, a person, and a line back to it.
import { webcrypto } from "node:crypto";
import dns from "node:dns";

globalThis.crypto ??= webcrypto; // Node 18 has it only by name
dns.setDefaultResultOrder("ipv4first"); // the lab listens on 127.0.0.1

export function given(name) {
  const value = process.env[`LANYARD_${name}`];
  if (!value) throw new Error(`LANYARD_${name} is not set: run this by ./check or cargo test`);
  return value;
}

export const issuer = given("ISSUER");
export const login = process.env.LANYARD_LOGIN; // in scripts of one person
export const password = process.env.LANYARD_PASSWORD; // everybody's, but in the demo

async function tell(path, body) {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(given("LAB") + path, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`the lab says ${answer.status} to ${path}`);
  return answer.json();
}

/** Registers a client, as its operator would: `{client_id, client_secret}`. */
export const register = (client) => tell("/clients", client);

/** What was mailed to an address, the newest first: `{to, subject, body}`. */
export async function mailTo(address) {
  const answer = await fetch(`${given("LAB")}/mail`);
  return (await answer.json()).filter(({ to }) => to === address);
}

/** Moves the server's clock. */
export const advance = (seconds) => tell("/clock", { seconds });

/** What a device shows now: everybody's, or that of a secret. */
export const codeNow = async (secret) => (await tell("/code", { secret })).code;

/** Runs one step and says so. */
export async function step(name, work) {
  try {
    const value = await work();
    console.log(`ok    ${name}`);
    return value;
  } catch (error) {
    console.log(`FAIL  ${name}`);
    throw error;
  }
}
