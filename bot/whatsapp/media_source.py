"""Where a customer's file is fetched from, how often it may be asked for, and whether it is what was announced. Pure.

Sources: Meta: whatsapp/business-phone-numbers/media (addresses live five minutes, digests); docs.360dialog.com: upload,
retrieve or delete media (the proxied address, the lock after errors).
"""

from __future__ import annotations

import base64
import binascii
from collections import deque
from collections.abc import Callable, Hashable
from urllib.parse import unquote, urlsplit

from bot.errors import FilesPaused

_META_HOST = "lookaside.fbsbx.com"
_PATH = "/whatsapp_business/attachments/"


def download_url(url: str, base_url: str) -> str | None:
    """Meta's address of a file, at 360Dialog's host: path and query stay byte for byte. None: not such an address.

    The API key goes to the answer's host, so nothing but Meta's own host and path is believed (or 360Dialog's own
    address, as it stands): no look-alike, port, user name, other path or trick with dots.
    """
    if len(url) > 4000 or not url.isascii() or not url.isprintable() or set(url) & set('\\ "<>'):
        return None
    try:
        parts, base = urlsplit(url), urlsplit(base_url)
        meta = parts.scheme == "https" and parts.netloc.lower() == _META_HOST
        own = (parts.scheme, parts.netloc) == (base.scheme, base.netloc)
    except ValueError:
        return None
    path = parts.path.removeprefix(base.path.rstrip("/")) if own else parts.path
    if not (meta or own) or not path.startswith(_PATH) or ".." in unquote(path) or "\\" in unquote(path):
        return None
    return f"{base_url.rstrip('/')}{path}" + (f"?{parts.query}" if parts.query else "")


def digest(sha256: str) -> bytes | None:
    """Webhooks write it in base64, GET /{media-id} in hex. None when it is neither."""
    text = sha256.strip()
    try:
        if len(text) == 64:
            return bytes.fromhex(text)
        found = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None
    return found if len(found) == 32 else None


class ErrorBudget:
    """Stops asking for a number's files before 360Dialog does.

    20 error answers of GET /{media-id} within an hour lock it for half an hour (docs.360dialog.com: upload, retrieve or
    delete media). So at most sixteen, of which each bot that sends from the number has its part; that leaves some to
    other programs and to a restart, after which we count anew. An older page says five errors and an hour; should that
    still hold anywhere, the lock itself is answered with 403 and heeded (`lock`), and the file follows all the same.
    """

    SPAN = 3600.0
    LOCK = 1800.0
    _MOST = 16

    def __init__(self, bots: Callable[[], int] = lambda: 1) -> None:
        self._bots = bots
        self._errors: dict[Hashable, deque[float]] = {}
        self._locked: dict[Hashable, float] = {}

    def check(self, number: Hashable, now: float) -> None:
        """Raises FilesPaused with the seconds until it may be asked again."""
        errors = self._errors.setdefault(number, deque())
        while errors and not now - self.SPAN < errors[0] <= now:  # later than now: the clock was put back
            errors.popleft()
        spent = len(errors) >= max(1, self._MOST // self._bots())
        locked = self._locked.get(number, 0.0) - now
        wait = max(errors[0] + self.SPAN - now if spent else 0.0, locked if locked <= self.LOCK else 0.0)
        if wait > 0:
            raise FilesPaused("too many files of this number could not be fetched within the hour", after=wait)

    def note(self, number: Hashable, now: float) -> None:
        """An error answer."""
        self._errors.setdefault(number, deque()).append(now)

    def lock(self, number: Hashable, now: float) -> None:
        """360Dialog has locked it."""
        self._locked[number] = now + self.LOCK
