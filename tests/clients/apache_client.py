"""Debian's libapache2-mod-auth-openidc before a real Apache, which this script starts for itself."""

import os
import secrets
import socket
import subprocess
import tempfile
import time
import urllib.parse
from pathlib import Path

from lab import ISSUER, LOGIN, PASSWORD, register, said, wait_for
from person import Person

MODULES = Path("/usr/lib/apache2/modules")
IDLE_SECONDS = 10  # the least that it takes

CONFIGURATION = """
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
ServerRoot {folder}
DocumentRoot {folder}/htdocs
PidFile {folder}/apache.pid
DefaultRuntimeDir {folder}
Mutex file:{folder} default
ErrorLog {folder}/error.log
LogLevel warn
{user}
{modules}

OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCProviderIssuer {issuer}
OIDCClientID {client_id}
OIDCClientSecret {client_secret}
OIDCProviderTokenEndpointAuth client_secret_basic
OIDCIDTokenSignedResponseAlg ES256
OIDCResponseType code
OIDCPKCEMethod S256
OIDCScope "openid profile email"
OIDCRedirectURI {origin}/protected/callback
OIDCCryptoPassphrase {passphrase}
OIDCSessionInactivityTimeout {idle}
OIDCRemoteUserClaim sub
OIDCPassIDTokenAs claims
OIDCInfoHook iat access_token access_token_expires id_token userinfo refresh_token session

<Location /protected>
  AuthType openid-connect
  Require valid-user
  Header always set X-Person "expr=%{{REMOTE_USER}}"
</Location>
<Location /protected/other-clinic>
  AuthType openid-connect
  Require claim tid:00000000-0000-4000-8000-000000000000
</Location>
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def modules() -> str:
    names = "mpm_event authn_core authz_core authz_user headers dir auth_openidc".split()
    built_in = subprocess.run(["/usr/sbin/apache2", "-l"], capture_output=True, text=True).stdout
    wanted = [name for name in names if f"mod_{name}.c" not in built_in]
    return "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in wanted)


def main(folder: Path):
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    registered = register(
        kind="web",
        auth_method="client_secret_basic",
        id_token_alg="ES256",
        redirect_uri=f"{origin}/protected/callback",
        post_logout_redirect_uri=f"{origin}/bye.html",
        scopes=["openid", "profile", "email"],
    )
    pages = folder / "htdocs"
    (pages / "protected").mkdir(parents=True)
    (pages / "protected/index.html").write_text("for members")
    (pages / "bye.html").write_text("bye")
    # As root it must become somebody else, who reads the pages and writes nothing but the log.
    user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
    folder.chmod(0o755)
    configuration = folder / "apache.conf"
    configuration.write_text(
        CONFIGURATION.format(
            port=port,
            folder=folder,
            origin=origin,
            issuer=ISSUER,
            user=user,
            modules=modules(),
            passphrase=secrets.token_urlsafe(32),
            idle=IDLE_SECONDS,
            **registered,
        )
    )
    apache = subprocess.Popen(["/usr/sbin/apache2", "-f", configuration, "-DFOREGROUND"])
    try:
        wait_for(lambda: apache.poll() is not None or answers(port), "Apache answers")
        idle, since = leave_alone(origin)
        visit(origin)
        come_back(origin, idle, since)
    except BaseException:
        print((folder / "error.log").read_text() if (folder / "error.log").exists() else "no log")
        raise
    finally:
        apache.terminate()
        apache.wait(30)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def visit(origin: str):
    person = Person(ISSUER, LOGIN, PASSWORD)
    home = f"{origin}/protected/"
    page, shown = person.go_through(home)
    assert (page.url, page.status, page.text) == (home, 200, "for members"), (page.status, page.text)
    assert shown == ["identifier-form", "password-form"], shown
    subject = page.headers["X-Person"]
    said("sends a person to sign in, redeems the code with PKCE, and shows the page")

    def info() -> dict:
        return person.get(f"{origin}/protected/callback?info=json").json()

    known = info()
    claims, user = known["id_token"], known["userinfo"]
    assert claims["iss"] == ISSUER and claims["sub"] == user["sub"] == subject, known
    assert claims["nonce"] and claims["tid"] and user["email"] == LOGIN, known
    said("knows the claims of the ID token and of userinfo")

    other = person.get(f"{origin}/protected/other-clinic")
    assert other.status == 401, other.status
    said("lets a claim decide who may enter")

    first = known["access_token"]
    refreshing = f"{origin}/protected/callback?refresh={urllib.parse.quote(home, safe='')}"
    page = person.get(f"{refreshing}&access_token={first}")
    assert (page.url, page.status) == (home, 200), (page.url, page.text)
    second = info()
    assert second["access_token"] != first and second["refresh_token"] != known["refresh_token"]
    said("refreshes, and keeps the successor")

    stranger = Person(ISSUER, LOGIN, PASSWORD)
    forged = stranger.get(f"{origin}/protected/callback?code=of-nobody&state=of-nobody")
    assert forged.status >= 400 or "for members" not in forged.text, forged.text
    said("refuses an answer that it did not ask for")

    bye = urllib.parse.quote(f"{origin}/bye.html", safe="")
    page, shown = person.go_through(f"{origin}/protected/callback?logout={bye}")
    assert not shown and page.text == "bye", (page.url, page.text)
    page, shown = person.go_through(home)
    assert shown == ["identifier-form", "password-form"], shown
    assert page.text == "for members"
    said("logs out here and at the issuer")


def leave_alone(origin: str) -> tuple[Person, float]:
    """Somebody who signs in now and does nothing from then on."""
    idle = Person(ISSUER, LOGIN, PASSWORD)
    idle.go_through(f"{origin}/protected/")
    return idle, time.monotonic()


def come_back(origin: str, idle: Person, since: float):
    # Nothing tells from outside that an idle session has ended: asking would keep it alive.
    time.sleep(max(0, since + IDLE_SECONDS + 1 - time.monotonic()))
    assert idle.get(f"{origin}/protected/callback?info=json").status == 401
    page, shown = idle.go_through(f"{origin}/protected/")
    assert not shown and page.text == "for members", (shown, page.text)
    said("ends an idle session of its own; ours goes on, so the next opens without a form")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        main(Path(name))
