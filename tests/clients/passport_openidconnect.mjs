// passport-openidconnect (npm) in an Express app, as its README has it. It knows no PKCE and checks
// no signature: a client of the plain profile, with a secret, which reads the token over TLS.
import assert from "node:assert/strict";

import express from "express";
import session from "express-session";
import passport from "passport";
import OpenIDConnectStrategy from "passport-openidconnect";

import { issuer, login, password, register, step } from "./lab.mjs";
import { Person, Visitor } from "./person.mjs";

const app = express();
const server = app.listen(0, "127.0.0.1");
await new Promise((listening) => server.once("listening", listening));
const origin = `http://127.0.0.1:${server.address().port}`;

const registered = await register({
  kind: "web",
  profile: "oidc",
  auth_method: "client_secret_post",
  id_token_alg: "RS256",
  redirect_uri: `${origin}/callback`,
  post_logout_redirect_uri: `${origin}/bye`,
  scopes: ["openid", "profile", "email"],
});

const strategy = new OpenIDConnectStrategy(
  {
    issuer,
    authorizationURL: `${issuer}/authorize`,
    tokenURL: `${issuer}/token`,
    userInfoURL: `${issuer}/userinfo`,
    clientID: registered.client_id,
    clientSecret: registered.client_secret,
    callbackURL: "/callback",
    scope: ["profile", "email"],
    nonce: true,
    maxAge: 300,
    skipUserProfile: false,
  },
  (iss, profile, context, idToken, accessToken, refreshToken, params, verified) =>
    verified(null, { iss, profile, idToken, accessToken, refreshToken }),
);
passport.use(strategy);
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user, done) => done(null, user));
app.use(session({ secret: "of this run alone", resave: false, saveUninitialized: false }));
app.use(passport.session());
app.get("/login", passport.authenticate("openidconnect"));
app.get(
  "/callback",
  passport.authenticate("openidconnect", { successRedirect: "/me", failureRedirect: "/failed" }),
);
app.get("/me", (request, answer) => answer.json(request.user ?? null));
app.get("/logout", (request, answer, next) => {
  const hint = request.user.idToken;
  request.logout((error) => {
    if (error) return next(error);
    const to = new URL(`${issuer}/logout`);
    to.searchParams.set("id_token_hint", hint);
    to.searchParams.set("post_logout_redirect_uri", `${origin}/bye`);
    answer.redirect(to.href);
  });
});
app.use((error, request, answer, next) => {
  if (answer.headersSent) return next(error);
  answer.status(400).json({ error: error.code ?? String(error) });
});

const person = new Person(issuer, login, password);
const visitor = new Visitor();
const leave = async (path) => (await visitor.open(origin + path)).headers.get("location");
const me = async () => (await visitor.open(`${origin}/me`)).json();

const user = await step("signs a person in, checks the nonce, asks who it is", async () => {
  const { url, shown } = await person.goThrough(await leave("/login"));
  assert.deepEqual(shown, ["identifier-form", "password-form"]);
  const back = await visitor.open(url);
  assert.equal(back.headers.get("location"), "/me", await back.text());
  const user = await me();
  assert.equal(user.iss, issuer);
  assert.equal(user.profile.emails[0].value, login); // from userinfo
  return user;
});

await step("refuses an answer that it did not ask for", async () => {
  const { url } = await person.goThrough(await leave("/login"));
  const stranger = await new Visitor().open(url);
  assert.equal(stranger.headers.get("location"), "/failed");
  url.searchParams.set("code", "of-nobody");
  const forged = await visitor.open(url);
  assert.deepEqual(await forged.json(), { error: "invalid_grant" });
});

await step("refreshes by the OAuth client that it is made on", async () => {
  const refresh = (token) =>
    new Promise((done) => {
      const grant = { grant_type: "refresh_token" };
      strategy._oauth2.getOAuthAccessToken(token, grant, (error, access, next) =>
        done({ error: error && JSON.parse(error.data).error, access, next }),
      );
    });
  const second = await refresh(user.refreshToken);
  const third = await refresh(second.next);
  assert(third.access && third.next !== second.next);
  assert.equal((await refresh(user.refreshToken)).error, "invalid_grant");
  assert.equal((await refresh(third.next)).error, "invalid_grant"); // reuse ended the family
});

await step("logs out, and the next sign-in shows the form again", async () => {
  const { url } = await person.goThrough(await leave("/logout"));
  assert.equal(url.href, `${origin}/bye`);
  assert.equal(await me(), null);
  const { shown } = await person.goThrough(await leave("/login"));
  assert.deepEqual(shown, ["identifier-form", "password-form"]);
});

server.close();
server.closeAllConnections();
