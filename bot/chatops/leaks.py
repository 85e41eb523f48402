"""Finds an API key that somebody typed into a chat. Pure.

360Dialog's keys are long strings of letters and digits, some with an ending such as `_AK` or `_sandbox`. One in sixty
has no digit at all, and is known by its ending `AK` (as partners' ids end in `PA`, docs.360dialog.com, Partner API) and
by capitals that stand as no word has them. The pattern is meant to be a little too eager: a message deleted for nothing
is typed again, a key left standing is read by others.
"""

from __future__ import annotations

import re
from itertools import pairwise

from bot.chatops.command import split, visible

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{18,255}")
_MARKED = re.compile(r"[A-Za-z0-9]{6,255}_(?:AK|sandbox)")
_TRIM = "`*'\"„“”,.;:()[]<>"


def is_key(word: str) -> bool:
    """Long, digits or both cases in the midst of letters, no word of any language. A URL or a mail address is none."""
    word = word.strip(_TRIM)
    if _MARKED.fullmatch(word):
        return True
    if not _WORD.fullmatch(word):
        return False
    kinds = [_kind(c) for c in word]
    changes = sum(a != b for a, b in pairwise(kinds) if "-" not in (a, b))
    return changes >= 4 if "0" in kinds else changes >= 8 and word.endswith("AK")


def _kind(c: str) -> str:
    return "0" if c.isdigit() else "A" if c.isupper() else "a" if c.islower() else "-"


def holds_key(text: str) -> bool:
    return any(is_key(word.partition("=")[2] or word) for word in split(visible(text)))


def mentions_key(text: str) -> bool:
    """As `holds_key`, for remarks among colleagues: ticket numbers and the like, which have hyphens, are none."""
    return any(is_key(word) and "-" not in word for word in split(visible(text)))


def is_only_key(text: str) -> bool:
    """The whole message is one key: nobody says that by chance."""
    words = split(visible(text))
    return len(words) == 1 and is_key(words[0])
