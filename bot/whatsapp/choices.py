"""Quick replies for WhatsApp: up to three as buttons, up to ten as a list, everything else as numbered text. Pure.

Limits (Meta: interactive-reply-buttons-messages, interactive-list-messages, and the OpenAPI description): one button
too many or one title too long makes WhatsApp refuse the whole message. Titles are cut between characters as people see
them; the reply id carries the full answer, so that it comes back whole, also years and restarts later. A reply cannot
stand beside a link, so buttons that open an address become lines of the text. Numbered text has no ids: whoever sends
it keeps what its numbers stand for, and `typed_place` reads the number that a customer types.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.model import Button
from bot.whatsapp.short_codes import to_unicode
from bot.whatsapp.split import GRAPHEME, length, split

BODY = 1024
_MARKED = re.compile(r"(?<!\w)(\*\*?|__?|~~?|`)(?=\S)([^*_~`]+)(?<=\S)\1(?!\w)")
_BUTTONS, _ROWS = 3, 10
_BUTTON_TITLE, _ROW_TITLE, _DESCRIPTION = 20, 24, 72
_BUTTON_ID, _ROW_ID = 256, 200
_OURS = re.compile(r"rc\d{1,2}\|(.+)", re.S)
_NUMBER = re.compile(r"(\d{1,3})\s*[.)]?")
_DIRECTIONS = dict.fromkeys(map(ord, "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
"""Invisible marks that keyboards of right-to-left scripts put around digits (Unicode: Bidi_Control)."""


@dataclass(frozen=True, slots=True)
class Offer:
    """`texts` to send, in order; after them the `interactive` object, or None when the texts say it all. `numbered`:
    the full answers that the numbers 1, 2, … in the text stand for."""

    texts: list[str]
    interactive: dict[str, Any] | None = None
    numbered: tuple[str, ...] = ()


def offer(text: str, buttons: Sequence[Button], *, lists: bool, label: str, prompt: str, lead: int = 0) -> Offer:
    """What to send for a text with these buttons below it.

    `lists`: lists may be used; `label` opens one. `prompt` stands above the choices when `text` is empty or longer than
    the body of an interactive message may be. The first `lead` characters never stand alone (see `split`).
    """
    links = [f"{_line(one.label)}: {one.url}" if _line(one.label) != one.url else one.url for one in buttons if one.url]
    replies = list(dict.fromkeys((_title(one.label), _line(one.text)) for one in buttons if not one.url))
    text = "\n".join(part for part in (text, *links) if part.strip())
    action = _action(replies, lists, label) if replies else None
    if action is None:
        numbered = [f"{place}. {label}" for place, (label, _) in enumerate(replies, 1)]
        words = "\n".join(part for part in (text, *numbered) if part.strip())
        return Offer(split(words, lead=lead), numbered=tuple(full for _, full in replies))
    pieces = split(text, lead=lead)
    body = pieces.pop() if pieces and length(pieces[-1]) <= BODY else prompt
    kind = "list" if "sections" in action else "button"
    return Offer(pieces, {"type": kind, "body": {"text": body}, "action": action})


def answer(id: str) -> str:
    """The full answer that a reply id of ours carries; empty for any other id."""
    found = _OURS.fullmatch(id)
    return found[1] if found else ""


def typed_place(text: str) -> int | None:
    """`3`, `3.` and `3)` in the digits of any one script, blanks around them; None for every other text."""
    found = _NUMBER.fullmatch(text.translate(_DIRECTIONS).strip())
    if found is None or len({ord(digit) - int(digit) for digit in found[1]}) > 1:
        return None
    place = int(found[1])
    return place if place and len(str(place)) == len(found[1]) else None


def cut(text: str, limit: int) -> str:
    """At most `limit` UTF-16 units, with an ellipsis for what is missing, never inside a character."""
    if length(text) <= limit:
        return text
    kept = ""
    for grapheme in GRAPHEME.findall(text):
        if length(kept + grapheme) > limit - 1:
            break
        kept += grapheme
    return f"{kept.rstrip()}…"


def _action(replies: Sequence[tuple[str, str]], lists: bool, label: str) -> dict[str, Any] | None:
    """None when neither buttons nor a list can hold the replies."""
    longest = max(length(title) for title, _ in replies)
    ids = [f"rc{place}|{text}" for place, (_, text) in enumerate(replies, 1)]
    fit_list = lists and len(replies) <= _ROWS and all(length(id) <= _ROW_ID for id in ids)
    fit_buttons = len(replies) <= _BUTTONS and all(length(id) <= _BUTTON_ID for id in ids)
    if fit_buttons and not (fit_list and _BUTTON_TITLE < longest <= _ROW_TITLE):
        titles = _titles(replies, _BUTTON_TITLE)
        return {
            "buttons": [
                {"type": "reply", "reply": {"id": id, "title": title}} for id, title in zip(ids, titles, strict=True)
            ]
        }
    if not fit_list:
        return None
    rows = []
    for id, title, (full, _) in zip(ids, _titles(replies, _ROW_TITLE), replies, strict=True):
        row = {"id": id, "title": title}
        rows.append(row if title == full else {**row, "description": cut(full, _DESCRIPTION)})
    return {"button": cut(_line(label), _BUTTON_TITLE), "sections": [{"rows": rows}]}


def _titles(replies: Sequence[tuple[str, str]], limit: int) -> list[str]:
    """Cut, and numbered when two of them would look the same: WhatsApp wants them unique."""
    titles = [cut(title, limit) for title, _ in replies]
    if len({title.casefold() for title in titles}) == len(titles):
        return titles
    return [cut(f"{place}. {title}", limit) for place, (title, _) in enumerate(replies, 1)]


def _title(label: str) -> str:
    """Titles know no markup (Meta: interactive reply buttons): its marks would be shown as they are."""
    return _MARKED.sub(r"\2", _line(label))


def _line(text: str) -> str:
    return " ".join(to_unicode(text).split())
