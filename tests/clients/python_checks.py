"""PyJWT and joserfc (PyPI) check our tokens as an API would, and the corpus of forged ones."""

import base64
import json
import time
import urllib.request

import joserfc.errors
import jwt
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet

from corpus import CORPUS, LEFT, its_instant, not_taken, taken
from lab import ISSUER, badge, said

AUDIENCE = f"{ISSUER}/api/v1"
REQUIRED = ["iss", "aud", "sub", "tid", "client_id", "exp", "iat", "jti", "scope"]


def keys_of_the_issuer() -> dict:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return json.load(opener.open(f"{ISSUER}/jwks"))


class ByPyJwt:
    refusals = (jwt.PyJWTError,)

    def __init__(self, keys=None, issuer=ISSUER, audience=AUDIENCE):
        self.keys = keys or jwt.PyJWKClient(f"{ISSUER}/jwks")
        self.issuer, self.audience = issuer, audience

    def check(self, token, audience=None, algorithms=("ES256",), typ="at+jwt"):
        if jwt.get_unverified_header(token).get("typ") != typ:
            raise jwt.InvalidTokenError("not an access token")
        return jwt.decode(
            token,
            self.keys.get_signing_key_from_jwt(token),
            algorithms=list(algorithms),
            audience=audience or self.audience,
            issuer=self.issuer,
            leeway=5,
            options={"require": REQUIRED if typ == "at+jwt" else ["exp", "iat", "nonce", "tid"]},
        )


class ByJoserfc:
    refusals = (joserfc.errors.JoseError, ValueError)

    def __init__(self, keys=None, issuer=ISSUER, audience=AUDIENCE, now=None):
        self.keys = KeySet.import_key_set(keys or keys_of_the_issuer())
        self.issuer, self.audience, self.now = issuer, audience, now

    def check(self, token, audience=None, algorithms=("ES256",), typ="at+jwt"):
        read = joserfc_jwt.decode(token, self.keys, algorithms=list(algorithms))
        if read.header.get("typ") != typ:
            raise ValueError("not an access token")
        # An empty string is none for joserfc, and a scope may be empty.
        at_all = [name for name in REQUIRED[2:] if name != "scope"]
        required = at_all if typ == "at+jwt" else ["nonce", "tid"]
        registry = joserfc_jwt.JWTClaimsRegistry(
            now=self.now or int(time.time()),
            leeway=5,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": audience or self.audience},
            **{name: {"essential": True} for name in required},
        )
        registry.validate(read.claims)
        if typ == "at+jwt" and "scope" not in read.claims:
            raise ValueError("no scope")
        return read.claims


def refused(library, token, **more):
    try:
        library.check(token, **more)
    except library.refusals:
        return
    raise AssertionError(f"{type(library).__name__} takes it")


def altered(token: str) -> str:
    header, claims, signature = token.split(".")
    read = json.loads(base64.urlsafe_b64decode(claims + "=="))
    text = json.dumps({**read, "roles": ["clinic_admin"]}).encode()
    return f"{header}.{base64.urlsafe_b64encode(text).rstrip(b'=').decode()}.{signature}"


good = badge("openid visits:read")
old = badge("openid visits:read", age=600)
by_alg = {alg: badge("openid visits:read", alg=alg) for alg in ("ES256", "RS256", "EdDSA")}

for library in (ByPyJwt(), ByJoserfc()):
    name = type(library).__name__
    claims = library.check(good["access_token"])
    assert claims["client_id"] == good["client_id"] and claims["roles"] == ["patient"], claims
    said(f"{name}: verifies an access token through the JWKS")
    for alg, tokens in by_alg.items():
        more = {"audience": tokens["client_id"], "algorithms": [alg], "typ": "JWT"}
        assert library.check(tokens["id_token"], **more)["nonce"] == "a-nonce"
        refused(library, tokens["id_token"], algorithms=[alg])
        said(f"{name}: verifies an ID token signed with {alg}, and not as an access token")
    refused(library, good["access_token"], audience="https://another.example.test")
    refused(library, old["access_token"])
    refused(library, altered(good["access_token"]))
    said(f"{name}: refuses another audience, an old token, and an altered one")


class KeysOfTheCorpus(jwt.PyJWKClient):
    def fetch_data(self):
        return CORPUS["jwks"]


issuer, audience, now = CORPUS["issuer"], CORPUS["audience"], CORPUS["now"]
by_pyjwt = ByPyJwt(KeysOfTheCorpus(f"{issuer}/jwks"), issuer, audience)
by_joserfc = ByJoserfc(CORPUS["jwks"], issuer, audience, now)

for name, library, stricter in (
    ("PyJWT", by_pyjwt, []),
    ("joserfc", by_joserfc, ["a header that nobody knows"]),
):

    def check(token):
        library.check(token, algorithms=("ES256", "RS256", "EdDSA"))

    with its_instant():
        assert not_taken(check, "accepted") == stricter, not_taken(check, "accepted")
        left = taken(check, "refused")
    assert left == LEFT[name], json.dumps(left, indent=2)
    said(f"{name}: refuses the verifier's forged tokens, but those that are left to the API")
