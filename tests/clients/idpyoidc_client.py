"""idpyoidc (PyPI) as a relying party: its three calls, begin, finalize, logout. ES256."""

import logging
import urllib.parse

from cryptojwt.key_jar import init_key_jar
from idpyoidc.client.defaults import DEFAULT_OIDC_SERVICES
from idpyoidc.client.exception import OidcServiceError
from idpyoidc.client.rp_handler import RPHandler
from idpyoidc.exception import VerificationError

from lab import ISSUER, LOGIN, PASSWORD, register, said
from person import NOBODY, Person

SCOPE = ["openid", "profile", "email"]

registered = register(
    kind="web",
    auth_method="client_secret_basic",
    id_token_alg="ES256",
    redirect_uri=f"{NOBODY}/callback",
    post_logout_redirect_uri=f"{NOBODY}/bye",
    scopes=SCOPE,
)
client = {
    "issuer": ISSUER,
    "client_type": "oidc",
    "client_id": registered["client_id"],
    "client_secret": registered["client_secret"],
    "redirect_uris": [f"{NOBODY}/callback"],
    "post_logout_redirect_uris": [f"{NOBODY}/bye"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "client_secret_basic",
    "client_authn_methods": ["client_secret_basic", "bearer_header"],
    "id_token_signed_response_alg": "ES256",
    "add_ons": {
        "pkce": {
            "function": "idpyoidc.client.oauth2.add_on.pkce.add_support",
            "kwargs": {"code_challenge_length": 64, "code_challenge_method": "S256"},
        }
    },
    "services": {
        **DEFAULT_OIDC_SERVICES,
        "end_session": {"class": "idpyoidc.client.oidc.end_session.EndSession"},
    },
}
logging.disable()  # it prints what it refuses
handler = RPHandler(
    base_url=NOBODY,
    client_configs={ISSUER: client},
    keyjar=init_key_jar(key_defs=[{"type": "EC", "crv": "P-256", "use": ["sig"]}], issuer_id=""),
)
person = Person(ISSUER, LOGIN, PASSWORD)


def begin() -> tuple[dict, list[str], str]:
    """Leaves for the issuer; gives what it came back with, and what she was shown."""
    to = handler.begin(ISSUER, req_args={"scope": list(SCOPE)})
    page, shown = person.go_through(to)
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page.url).query)), shown, to


def refused(work):
    try:
        answer = work()
    except (OidcServiceError, VerificationError, KeyError) as error:
        return str(error) or type(error).__name__
    assert isinstance(answer, dict) and "error" in answer, f"not refused: {answer}"
    return answer["error"]


back, shown, to = begin()
assert shown == ["identifier-form", "password-form"], shown
asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(to).query))
assert asked["code_challenge_method"] == "S256" and asked["nonce"] and asked["state"], asked
assert asked["scope"].split() == SCOPE, asked
assert back["iss"] == ISSUER, back
first = handler.finalize(ISSUER, back)
assert "error" not in first, first
claims = first["id_token"]
assert claims["iss"] == ISSUER and claims["nonce"] == asked["nonce"] and claims["tid"], claims
assert claims.jws_header["alg"] == "ES256", claims.jws_header
said("discovers, signs a person in, redeems the code with PKCE, verifies the ID token")

assert first["userinfo"]["email"] == LOGIN and first["userinfo"]["sub"] == claims["sub"], first
said("asks who it is")

back, shown, _ = begin()
assert not shown
assert refused(lambda: handler.finalize(ISSUER, {**back, "iss": "https://id.example.test"}))
assert refused(lambda: handler.finalize(ISSUER, {**back, "state": "another"}))
assert refused(lambda: handler.finalize(ISSUER, {**back, "code": "of-nobody"})) == "invalid_grant"
said("refuses another issuer's answer, another state, and a code of nobody's")

state = first["state"]
relying_party = handler.issuer2rp[ISSUER]
kept = relying_party.get_context().cstate
tokens = [kept.get_claim(state, "refresh_token")]
for _ in range(2):
    answer = handler.refresh_access_token(state)
    assert answer["__verified_id_token"]["sub"] == claims["sub"], answer
    tokens.append(answer["refresh_token"])
assert len(set(tokens)) == 3, tokens
kept.update(state, {"refresh_token": tokens[0]})
assert refused(lambda: handler.refresh_access_token(state)) == "invalid_grant"
kept.update(state, {"refresh_token": tokens[2]})
assert refused(lambda: handler.refresh_access_token(state)) == "invalid_grant"
said("refreshes twice, and sees the reuse of a spent refresh token end its family")

back, shown, _ = begin()
last = handler.finalize(ISSUER, back)
assert not shown and last["userinfo"]["sub"] == claims["sub"], last
leaving = handler.logout(last["state"], post_logout_redirect_uri=f"{NOBODY}/bye")
page, shown = person.go_through(leaving["url"])
assert not shown and page.url.startswith(f"{NOBODY}/bye?state="), page.url
_, shown, _ = begin()
assert shown == ["identifier-form", "password-form"], shown
said("logs out, and comes back with its state")
