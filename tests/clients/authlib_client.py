"""Authlib (PyPI) as a relying party: a small Flask app, as its documentation has it."""

import logging
import os
import threading

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import OAuth
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask, jsonify, request
from werkzeug.serving import make_server

from person import Person

ISSUER, LAB = os.environ["LANYARD_ISSUER"], os.environ["LANYARD_LAB"]
LOGIN, PASSWORD = os.environ["LANYARD_LOGIN"], os.environ["LANYARD_PASSWORD"]
SCOPE = "openid profile email offline_access"

logging.getLogger("werkzeug").setLevel(logging.ERROR)


def serve() -> tuple[Flask, OAuth, list[dict], str]:
    """The app on a port of its own, registered with the issuer; `kept` is its session store."""
    app = Flask(__name__)
    app.secret_key = os.urandom(16)
    app.config["SESSION_COOKIE_NAME"] = "relying_party"
    server = make_server("127.0.0.1", 0, app, threaded=True)
    origin = f"http://127.0.0.1:{server.port}"
    client = {
        "kind": "web",
        "auth_method": "client_secret_basic",
        "id_token_alg": "RS256",
        "redirect_uri": f"{origin}/callback",
        "post_logout_redirect_uri": f"{origin}/bye",
        "scopes": SCOPE.split(),
    }
    registered = requests.post(f"{LAB}/clients", json=client).json()
    kept: list[dict] = []
    oauth = OAuth(app, update_token=lambda name, token, **_: kept.append(dict(token)))
    oauth.register(
        "lanyard",
        server_metadata_url=f"{ISSUER}/.well-known/openid-configuration",
        client_id=registered["client_id"],
        client_secret=registered["client_secret"],
        client_kwargs={"scope": SCOPE, "code_challenge_method": "S256"},
    )

    @app.get("/login")
    def login():
        return oauth.lanyard.authorize_redirect(f"{origin}/callback", **request.args.to_dict())

    @app.get("/callback")
    def callback():
        try:
            token = oauth.lanyard.authorize_access_token()
        except OAuthError as refused:
            return jsonify(error=refused.error), 400
        kept.append(dict(token))
        return jsonify(token["userinfo"])  # the claims of the ID token, verified

    @app.get("/me")
    def me():
        return jsonify(oauth.lanyard.userinfo(token=kept[-1]))

    @app.get("/logout")
    def logout():
        hint = kept[-1]["id_token"]
        return oauth.lanyard.logout_redirect(f"{origin}/bye", id_token_hint=hint)

    @app.get("/bye")
    def bye():
        return jsonify(oauth.lanyard.validate_logout_response())

    threading.Thread(target=server.serve_forever, daemon=True).start()
    return app, oauth, kept, origin


def said(name: str):
    print("ok   ", name, flush=True)


def main():
    _, oauth, kept, origin = serve()
    person = Person(ISSUER, LOGIN, PASSWORD)

    page, shown = person.go_through(f"{origin}/login")
    claims = page.json()
    assert shown == ["identifier-form", "password-form"], shown
    assert page.url.startswith(f"{origin}/callback"), page.url
    assert claims["iss"] == ISSUER and claims["nonce"] and claims["tid"] and claims["sid"], claims
    said("discovers, signs a person in, redeems the code with PKCE, verifies the ID token")

    me = person.get(f"{origin}/me").json()
    assert me["sub"] == claims["sub"] and me["email"] == LOGIN, me
    said("asks who it is")

    # Authlib refreshes by itself before a call when it sees that the access token is over.
    for generation in (2, 3):
        kept[-1]["expires_at"] = 1
        assert person.get(f"{origin}/me").json()["sub"] == claims["sub"]
        assert len(kept) == generation, kept
    first, second, third = kept
    assert len({token["refresh_token"] for token in kept}) == 3, kept
    said("refreshes twice by itself, when the access token is over")

    metadata = oauth.lanyard.load_server_metadata()
    session = OAuth2Session(oauth.lanyard.client_id, oauth.lanyard.client_secret)

    def is_dead(token: dict):
        try:
            session.refresh_token(metadata["token_endpoint"], token["refresh_token"])
        except OAuthError as refused:
            assert refused.error == "invalid_grant", refused
        else:
            raise AssertionError("a refresh token that should be dead is good")

    is_dead(first)
    is_dead(third)
    said("sees the reuse of a spent refresh token end its family")

    page, shown = person.go_through(f"{origin}/login?prompt=none")
    assert not shown and page.json()["sub"] == claims["sub"], page.text
    last = kept[-1]
    said("signs in silently, since the session outlives a family")

    page, shown = person.go_through(f"{origin}/logout")
    assert not shown and page.url.startswith(f"{origin}/bye?state="), page.url
    assert page.json() == {"post_logout_redirect_uri": f"{origin}/bye"}, page.text
    is_dead(last)
    page, _ = person.go_through(f"{origin}/login?prompt=none")
    assert page.json() == {"error": "login_required"}, page.text
    said("logs out, and comes back with its state")


if __name__ == "__main__":
    main()
