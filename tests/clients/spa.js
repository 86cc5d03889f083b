// A page that signs people in with oidc-client-ts; the test presses its buttons by calling `app`.
const { UserManager } = window.oidc;
const told = new URLSearchParams(location.hash.slice(1));
if (told.has("authority")) sessionStorage.setItem("settings", JSON.stringify([...told]));
const given = Object.fromEntries(JSON.parse(sessionStorage.getItem("settings")));

const manager = new UserManager({
  ...given,
  redirect_uri: `${location.origin}/callback`,
  post_logout_redirect_uri: `${location.origin}/bye`,
  scope: "openid profile email offline_access",
  loadUserInfo: true,
  automaticSilentRenew: false,
});

const plain = (user) => user && { ...user, scopes: undefined };
const said = async (work) => {
  try {
    return { ok: await work };
  } catch (error) {
    return { error: error.error ?? String(error) };
  }
};

window.app = {
  signIn: () => manager.signinRedirect({ state: "where I was" }),
  refresh: () => said(manager.signinSilent().then(plain)),
  user: () => manager.getUser().then(plain),
  /** Puts an older refresh token in place of the present one, as a thief of it would. */
  async goBackTo(refresh_token) {
    const user = await manager.getUser();
    await manager.storeUser(Object.assign(user, { refresh_token }));
  },
  signOut: () => manager.signoutRedirect({ state: "done for today" }),
};

const state = (text) => {
  document.getElementById("state").textContent = text;
};
addEventListener("DOMContentLoaded", async () => {
  if (location.pathname === "/callback") {
    const { ok, error } = await said(manager.signinRedirectCallback());
    state(ok ? `Signed in, back to ${ok.state}` : `Refused: ${error}`);
  } else if (location.pathname === "/bye") {
    const { ok, error } = await said(manager.signoutRedirectCallback());
    state(ok ? `Signed out, ${ok.userState}` : `Refused: ${error}`);
  } else {
    state("Ready");
  }
});
