// Tokens of a person's sign-in, by hand: no library under test stands between.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";

import { advance, issuer, login, password, register } from "./lab.mjs";
import { Person } from "./person.mjs";

const redirect_uri = "http://127.0.0.1:49152/callback"; // nobody listens: the person is asked

/**
 * A public client, one person signed in to it, and its tokens. `age`: everything happened so many
 * seconds ago. `signedInAgo`: the sign-in did, the tokens are fresh. `as`: whose, if not a new one's.
 */
export async function badge(wanted = {}) {
  const { scope = "openid visits:read", alg = "RS256", audience, age = 0 } = wanted;
  const { organization, signedInAgo = 0 } = wanted;
  const { client_id } = await register({
    kind: "native",
    auth_method: "none",
    id_token_alg: alg,
    redirect_uri,
    post_logout_redirect_uri: redirect_uri,
    scopes: scope.split(" "),
    audience,
  });
  const person = wanted.as ?? new Person(issuer, login, password);

  /** One more sign-in of hers, or a code without one. */
  async function tokens(more = {}) {
    const verifier = randomBytes(32).toString("base64url");
    const to = new URL(`${issuer}/authorize`);
    const query = {
      client_id,
      response_type: "code",
      redirect_uri,
      scope,
      state: "a-state",
      nonce: "a-nonce",
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256",
      ...(organization && { organization }),
      ...more,
    };
    for (const [name, value] of Object.entries(query)) to.searchParams.set(name, value);
    const { url, shown } = await person.goThrough(to);
    const code = url.searchParams.get("code");
    const grant = { grant_type: "authorization_code", code, redirect_uri, client_id };
    return { ...(await redeem({ ...grant, code_verifier: verifier })), shown };
  }

  async function redeem(form) {
    const body = new URLSearchParams(form);
    const answer = await fetch(`${issuer}/token`, { method: "POST", body });
    assert.equal(answer.status, 200, await answer.clone().text());
    return answer.json();
  }

  const back = age + signedInAgo;
  await advance(-back);
  let given = await tokens();
  await advance(signedInAgo);
  if (signedInAgo) given = await tokens();
  await advance(age);
  const refresh = () =>
    redeem({ grant_type: "refresh_token", refresh_token: given.refresh_token, client_id });
  return { ...given, client_id, person, tokens, refresh };
}
