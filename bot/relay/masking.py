"""Phone numbers do not belong in logs: the last three digits are enough to recognise one's own.

A WhatsApp message id holds the customer's number too, in base64: its end is enough to find the message.
"""

from __future__ import annotations

import re
import traceback
from pathlib import Path

_WAMID = re.compile(r"wamid\.[A-Za-z0-9+/=_-]+(?=[A-Za-z0-9+/=_-]{8})")
_NUMBER = re.compile(r"(?<!\w)\+?\d{4,}(?=\d{3}(?!\w))")


def masked(text: str) -> str:
    """`+491701234567` → `…567`, `wamid.HBgL…` → `wamid.…` and its last eight characters."""
    return _NUMBER.sub("…", _WAMID.sub("wamid.…", text))


def place_of(error: BaseException) -> str:
    """`(form.py:12 submit < dispatcher.py:34 __call__)`: the calls nearest to the error, the nearest first.

    For what nobody foresaw: the text of such an error, and so its traceback, could quote anything that was sent."""
    calls = reversed(traceback.extract_tb(error.__traceback__)[-3:])
    return "(" + " < ".join(f"{Path(call.filename).name}:{call.lineno} {call.name}" for call in calls) + ")"
