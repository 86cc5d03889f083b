"""openapi-spec-validator and schemathesis (PyPI) over the description of the API and a server."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema
from openapi_spec_validator import validate

from lab import ISSUER, badge, said

SEED, CALLS = "20260302", "12"
description = Path(os.environ["LANYARD_OPENAPI"])
document = json.loads(description.read_text())

validate(document)
said("the description is OpenAPI 3.1")

examples = 0
for name, schema in document["components"]["schemas"].items():
    for field, described in schema.get("properties", {}).items():
        for example in described.get("examples", []):
            jsonschema.validate(example, described)
            examples += 1
assert examples > 10, examples
said("its examples are what they are examples of")


PLATFORMS = r"impersonations/(all|stop|\{id\}/stop)$|session-endings|signing-keys|verifiers"


def run(title: str, *more: str, config: str = ""):
    """One run, its seed and its number of calls fixed; what it finds is a failure."""
    scopes = "openid profile:read tenancy:read tenancy:write visits:read audit:read"
    scopes += " audit:write impersonation:read impersonation:write delegation:read delegation:write"
    token = badge(scopes)["access_token"]
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "schemathesis.toml"
        settings.write_text(config)
        ended = subprocess.run(
            [
                *(Path(sys.executable).parent / "st", "--config-file", settings, "run"),
                *(description, "--url", f"{ISSUER}/api/v1"),
                *("-H", f"Authorization: Bearer {token}", "--checks", "all"),
                # What goes with what (a patient with an emergency, a cursor alone) no schema says.
                *("--exclude-checks", "positive_data_acceptance"),
                *("--seed", SEED, "--max-examples", CALLS, "--generation-deterministic"),
                *("--no-color", "--continue-on-failure"),
                # The platform's own people's, who are members of no clinic: see their tests.
                *("--exclude-operation-id", "requestImpersonation"),
                *("--exclude-operation-id", "requestImpersonationInClinic"),
                *("--exclude-operation-id", "startImpersonation"),
                *("--exclude-operation-id", "startImpersonationInClinic"),
                *("--exclude-path-regex", PLATFORMS),
                *more,
            ],
            cwd=folder,
            capture_output=True,
            text=True,
        )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    # It warns where a clinic made up is not found: that is the answer it should get.
    calls = re.search(r"(\d+) generated, (\d+) passed", ended.stdout)
    assert calls and calls[1] == calls[2] != "0", ended.stdout
    # Of a clinic that is made up the token is none; of the others it is.
    refused = re.search(r"Authentication failed:.*?Ensure valid", ended.stdout, re.DOTALL)
    paths = re.findall(r"  - [A-Z]+ (\S+)", refused[0]) if refused else []
    assert not [p for p in paths if config or not p.startswith("/clinics/")], ended.stdout
    said(title)


run("schemathesis finds nothing in any clinic's addresses")
clinic = os.environ["LANYARD_CLINIC"]
run(
    "schemathesis finds nothing in the token's own clinic",
    "--include-path-regex",
    "clinics",
    config=f'[parameters]\n"path.clinic" = "{clinic}"\n',
)
