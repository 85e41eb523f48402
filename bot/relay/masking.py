"""Phone numbers do not belong in logs: the last three digits are enough to recognise one's own.

A WhatsApp message id holds the customer's number too, in base64: its end is enough to find the message.
"""

from __future__ import annotations

import re

_WAMID = re.compile(r"wamid\.[A-Za-z0-9+/=_-]+(?=[A-Za-z0-9+/=_-]{8})")
_NUMBER = re.compile(r"(?<!\w)\+?\d{4,}(?=\d{3}(?!\w))")


def masked(text: str) -> str:
    """`+491701234567` → `…567`, `wamid.HBgL…` → `wamid.…` and its last eight characters."""
    return _NUMBER.sub("…", _WAMID.sub("wamid.…", text))
