// @auth/core (npm), which Auth.js is made on: `Auth` answers requests, as in any framework.
import assert from "node:assert/strict";

import { issuer, login, password, register, step } from "./lab.mjs";
import { Person, Visitor } from "./person.mjs";
import { Auth } from "@auth/core";

const origin = "http://127.0.0.1:49152"; // nobody listens: `Auth` is called in its place
const registered = await register({
  kind: "web",
  auth_method: "client_secret_basic",
  id_token_alg: "ES256",
  redirect_uri: `${origin}/auth/callback/lanyard`,
  post_logout_redirect_uri: `${origin}/bye`,
  scopes: ["openid", "profile", "email"],
});

/** As the guide to refresh token rotation of Auth.js has it. */
async function refreshed(token) {
  const answer = await fetch(`${issuer}/token`, {
    method: "POST",
    body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: token.refresh_token }),
    headers: {
      authorization: `Basic ${btoa(`${registered.client_id}:${registered.client_secret}`)}`,
    },
  });
  const tokens = await answer.json();
  if (!answer.ok) return { ...token, error: tokens.error };
  const expires_at = Math.floor(Date.now() / 1000) + tokens.expires_in;
  const { access_token, refresh_token } = tokens;
  return { ...token, access_token, refresh_token, expires_at, error: undefined };
}

let isOver = false; // whether the app takes its access token for expired
let events = [];
const config = {
  basePath: "/auth",
  secret: "of this run alone, and long enough for a key",
  trustHost: true,
  logger: { error: (error) => events.push(error.cause?.error ?? error.type ?? error.name) },
  providers: [
    {
      id: "lanyard",
      name: "Lanyard",
      type: "oidc",
      issuer,
      clientId: registered.client_id,
      clientSecret: registered.client_secret,
      client: { id_token_signed_response_alg: "ES256" },
      authorization: { params: { scope: "openid profile email" } },
      checks: ["pkce", "state", "nonce"],
      idToken: false, // names and addresses are at userinfo
    },
  ],
  callbacks: {
    async jwt({ token, account, profile }) {
      if (account) {
        const { access_token, refresh_token, id_token, expires_at } = account;
        return { ...token, sub: profile.sub, access_token, refresh_token, id_token, expires_at };
      }
      return isOver ? refreshed(token) : token;
    },
    session({ session, token }) {
      const { sub, access_token, refresh_token, id_token, error } = token;
      return { ...session, sub, access_token, refresh_token, id_token, error };
    },
  },
};

const person = new Person(issuer, login, password);
const visitor = new Visitor((request) => Auth(request, config));
const session = async () => (await visitor.open(`${origin}/auth/session`)).json();
const post = async (path, form = {}) => {
  const { csrfToken } = await (await visitor.open(`${origin}/auth/csrf`)).json();
  const answer = await visitor.open(origin + path, { csrfToken, ...form });
  return answer.headers.get("location");
};
const signIn = async () => person.goThrough(await post("/auth/signin/lanyard"));

await step("signs a person in with PKCE, state and nonce, and asks who it is", async () => {
  const to = new URL(await post("/auth/signin/lanyard"));
  for (const check of ["code_challenge", "state", "nonce"]) assert(to.searchParams.get(check), check);
  const { url, shown } = await person.goThrough(to);
  assert.deepEqual(shown, ["identifier-form", "password-form"]);
  const back = await visitor.open(url);
  assert.equal(back.headers.get("location"), origin, events.join());
  const { user, sub } = await session();
  assert.equal(user.email, login);
  assert(sub && user.name);
});

await step("refuses an answer of another issuer, and one that it did not ask for", async () => {
  const { url } = await signIn();
  const mixedUp = new URL(url);
  mixedUp.searchParams.set("iss", "https://id.example.test");
  const stranger = new Visitor((request) => Auth(request, config));
  for (const [browser, address] of [[visitor, mixedUp], [stranger, url]]) {
    events = [];
    const answer = await browser.open(address);
    assert.match(answer.headers.get("location"), /\/auth\/error\?error=/);
    assert.equal(events.length, 1, events.join());
  }
});

await step("refreshes when its session is read, and sees reuse refused", async () => {
  const first = await session();
  isOver = true;
  const second = await session();
  const third = await session();
  const all = [first, second, third].map(({ refresh_token }) => refresh_token);
  assert.equal(new Set(all).size, 3);
  assert.equal(third.error, undefined);
  assert.equal((await refreshed(first)).error, "invalid_grant");
  assert.equal((await session()).error, "invalid_grant"); // its family is over
  isOver = false;
});

await step("logs out here and at the issuer", async () => {
  const { id_token } = await session();
  await post("/auth/signout");
  assert.equal(await session(), null);
  const to = new URL(`${issuer}/logout`);
  to.searchParams.set("id_token_hint", id_token);
  to.searchParams.set("post_logout_redirect_uri", `${origin}/bye`);
  const { url } = await person.goThrough(to);
  assert.equal(url.href, `${origin}/bye`);
  const { shown } = await signIn();
  assert.deepEqual(shown, ["identifier-form", "password-form"]);
});
