"""The agent's name in front of what they write, when the workspace wishes it (setting `agents_display_info`). Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from bot.model import ChatMessage

_LONGEST = 60
_MARKS = re.compile(r"[*_~`]")


def signature(message: ChatMessage, shown: Literal["none", "name", "username"]) -> str:
    """The line that names the author, `*Anna:*`; empty when nobody is to be named.

    It is the message's own author, so it is right after a transfer too. A person without a name is named by their user
    name. What an integration posts is signed by nobody.
    """
    if shown == "none" or message.automatic:
        return ""
    chosen = message.name if shown == "name" else message.username
    name = _plain(chosen) or _plain(message.username)
    return f"*{name}:*" if name else ""


def signed(text: str, signature: str) -> str:
    """The text below the signature; for the caption of a file as well."""
    return "\n".join(part for part in (signature, text) if part)


def _plain(name: str) -> str:
    """One line without characters that WhatsApp would take for markup or that steer the direction of text."""
    kept = "".join(
        " " if char.isspace() else char for char in name if unicodedata.category(char) not in ("Cf", "Cs", "Co", "Cn")
    )
    return " ".join(_MARKS.sub(" ", kept).split())[:_LONGEST].strip()
