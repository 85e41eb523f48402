"""The one token of the HTTP interface (`templateMessage`, `authSuccess`): what is configured, else one of our own.

Our own is computed from the installation's secret key, so it is there at the first start, stays the same for as long as
that key, and is stored nowhere.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable

Derive = Callable[[str], bytes]


def api_token(configured: str, derive: Derive) -> str:
    """Fits into a path without quoting when it is our own."""
    return configured or base64.urlsafe_b64encode(derive("api token")).decode().rstrip("=")


def is_token(given: str, token: str) -> bool:
    """In constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), token.encode())
