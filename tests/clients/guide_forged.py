"""Shows the corpus of forged tokens to the API of the Python guide: guide_forged.py <folder>"""

import json
import os
import sys

from corpus import CORPUS, LEFT, its_instant, not_taken, taken

os.environ.update(
    ISSUER=CORPUS["issuer"],
    AUDIENCE=CORPUS["audience"],
    API_CLIENT_ID="api-visits",
    API_CLIENT_SECRET="of no use here",
)
sys.path.insert(0, sys.argv[1])
import api  # noqa: E402: it reads its environment as it begins

# It takes neither support's tokens nor another algorithm than the default.
STRICTER = ["under impersonation", "under a delegation", "a good token in EdDSA", "a good token in RS256"]

api.keys.fetch_data = lambda: CORPUS["jwks"]


def check(token: str):
    api.verified(f"Bearer {token}")


with its_instant():
    assert not_taken(check, "accepted") == STRICTER, not_taken(check, "accepted")
    left = taken(check, "refused")
assert left == LEFT["docs/guides/protect-an-api-in-python.md"], json.dumps(left, indent=2)
