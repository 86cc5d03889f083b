"""The verifier's corpus of forged tokens, shown to what is made with libraries of PyPI."""

import json
import os
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from unittest import mock

CORPUS = json.loads(Path(os.environ["LANYARD_FORGED_TOKENS"]).read_text())
LEFT = json.loads((Path(__file__).parent / "forged_left.json").read_text())


@contextmanager
def its_instant():
    """PyJWT's clock at the instant of the corpus: it takes none as an argument."""
    with mock.patch("jwt.api_jwt.datetime", wraps=datetime) as clock:
        clock.now.return_value = datetime.fromtimestamp(CORPUS["now"], timezone.utc)
        yield


def taken(check, which: str) -> list[str]:
    """The names of those tokens that `check` raises nothing at."""

    def passes(token: str) -> bool:
        try:
            check(token)
        except Exception:  # noqa: BLE001: whatever it says, it does not take it
            return False
        return True

    return [token["name"] for token in CORPUS[which] if passes(token["token"])]


def not_taken(check, which: str) -> list[str]:
    names = taken(check, which)
    return [token["name"] for token in CORPUS[which] if token["name"] not in names]
