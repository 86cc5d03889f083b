"""What the test that started a script gave it: addresses, a person, and a line back to it."""

import base64
import hashlib
import json
import os
import secrets
import time
import urllib.parse
import urllib.request

from person import NOBODY, Person

ISSUER, LAB = os.environ["LANYARD_ISSUER"], os.environ["LANYARD_LAB"]
LOGIN, PASSWORD = os.environ["LANYARD_LOGIN"], os.environ["LANYARD_PASSWORD"]

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _ask(address: str, body: bytes, content_type: str) -> dict:
    request = urllib.request.Request(address, body, {"Content-Type": content_type})
    return json.load(_opener.open(request))


def tell(path: str, **body) -> dict:
    return _ask(LAB + path, json.dumps(body).encode(), "application/json")


def register(**client) -> dict:
    """Registers a client, as its operator would: `{client_id, client_secret}`."""
    return tell("/clients", **client)


def wait_for(condition, what: str):
    for _ in range(600):
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"in half a minute: {what}")


def said(name: str):
    print("ok   ", name, flush=True)


def badge(scope: str, alg: str = "RS256", age: int = 0, **more) -> dict:
    """Tokens of a fresh sign-in by hand, as if `age` seconds ago."""
    callback = f"{NOBODY}/callback"
    client = register(
        kind="native",
        auth_method="none",
        id_token_alg=alg,
        redirect_uri=callback,
        scopes=scope.split(),
        **more,
    )["client_id"]
    verifier = secrets.token_urlsafe(32)
    digest = hashlib.sha256(verifier.encode()).digest()
    query = {
        "client_id": client,
        "response_type": "code",
        "redirect_uri": callback,
        "scope": scope,
        "state": "a-state",
        "nonce": "a-nonce",
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    tell("/clock", seconds=-age)
    person = Person(ISSUER, LOGIN, PASSWORD)
    person.answers["code-form"] = tell("/code")  # asked of who works at a clinic
    page, _ = person.go_through(f"{ISSUER}/authorize?{urllib.parse.urlencode(query)}")
    back = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page.url).query))
    form = {
        "grant_type": "authorization_code",
        "code": back["code"],
        "redirect_uri": callback,
        "client_id": client,
        "code_verifier": verifier,
    }
    body = urllib.parse.urlencode(form).encode()
    tokens = _ask(f"{ISSUER}/token", body, "application/x-www-form-urlencoded")
    tell("/clock", seconds=age)
    return {**tokens, "client_id": client}
