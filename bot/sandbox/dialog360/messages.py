"""Checks a body of POST /messages the way Meta does: types, required parts, limits, unexpected keys.

Limits: Meta's OpenAPI description (business-messaging-api v23.0) and "Send messages". Lengths count code points. A
missing part is 131008, a wrong value 131009, an unknown key 100; what needs the simulator's memory (is there such a
file, such a template) is checked by its owner.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import emoji

from bot.sandbox.dialog360 import interactive
from bot.sandbox.dialog360.fields import flag, items, known, obj, text
from bot.sandbox.dialog360.phones import BSUID, digits_of
from bot.sandbox.dialog360.refusals import graph

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """A body that holds. Exactly one of `digits` and `user_id` names the recipient; `media` are its files."""

    type: str
    body: Json
    digits: str
    user_id: str
    recipient: str
    media: tuple[tuple[str, Json], ...]
    """(kind, media object) wherever one stands."""


def check(body: object) -> Checked:
    """Raises `Refusal` for the first thing that is wrong. The body is not a read receipt."""
    if not isinstance(body, dict):
        raise graph(100, "Invalid parameter")
    require_product(body)
    digits, user_id, recipient = _recipient(body)
    kind = _type(body)
    if kind not in body:
        raise graph(100, f"The parameter {kind} is required.")
    if "context" in body:
        context = obj(body, "context", "")
        text(context, "message_id", "context", 1, 1000)
    text(body, "biz_opaque_callback_data", "", 1, 512, required=False)
    media = tuple(_CHECKS[kind](body))
    return Checked(kind, body, digits, user_id, recipient, media)


def require_product(body: Mapping[str, Any]) -> None:
    if body.get("messaging_product") != "whatsapp":
        raise graph(100, "The parameter messaging_product is required.")


def _recipient(body: Json) -> tuple[str, str, str]:
    if body.get("recipient_type", "individual") != "individual":
        raise graph(100, "Param recipient_type must be one of {INDIVIDUAL}.")
    if "to" in body:
        to = body["to"]
        digits = digits_of(to) if isinstance(to, str) else None
        if digits is None:
            raise graph(131009, "Recipient phone number is not valid.")
        return digits, "", to
    if "recipient" in body:
        user_id = body["recipient"]
        if not isinstance(user_id, str) or not BSUID.fullmatch(user_id):
            raise graph(131009, "Recipient user id is not valid.")
        return "", user_id, user_id
    raise graph(100, "The parameter to is required.")


def _type(body: Json) -> str:
    """`type` may be left out: then the part that stands there names it, as in Meta's own examples."""
    kind = body.get("type")
    if kind is None:
        present = [name for name in _CHECKS if name in body]
        kind = present[0] if len(present) == 1 else "text"
    if not isinstance(kind, str) or kind not in _CHECKS:
        raise graph(131051, f"Message type {kind!r:.40} is not supported.")
    return kind


Media = list[tuple[str, Json]]


def _text(body: Json) -> Media:
    part = obj(body, "text", "")
    known(part, "text", "body", "preview_url")
    text(part, "body", "text", 1, 4096)
    flag(part, "preview_url", "text")
    return []


def _media(kind: str, *extra: str) -> Callable[[Json], Media]:
    def checked(body: Json) -> Media:
        part = obj(body, kind, "")
        media(part, kind, kind, extra)
        return [(kind, part)]

    return checked


def media(part: Json, kind: str, where: str, extra: tuple[str, ...]) -> None:
    """A media object: an id or an https link, never both."""
    known(part, where, "id", "link", *extra)
    if ("id" in part) == ("link" in part):
        raise graph(100, f"Either id or link is required on param {where}.")
    if "id" in part:
        text(part, "id", where, 1, 255)
    else:
        link = text(part, "link", where, 1, 4096)
        if link is None or not re.fullmatch(r"https?", urlsplit(link).scheme) or not urlsplit(link).hostname:
            raise graph(131009, f"{where}['link'] is not a valid URL.")
    text(part, "caption", where, 0, 1024, required=False)
    text(part, "filename", where, 1, 1000, required=False)
    flag(part, "voice", where)


def _location(body: Json) -> Media:
    part = obj(body, "location", "")
    location(part, "location")
    return []


def location(part: Json, where: str) -> None:
    known(part, where, "latitude", "longitude", "name", "address")
    for key, most in (("latitude", 90), ("longitude", 180)):
        if key not in part:
            raise graph(131008, f"{where}['{key}'] is required.")
        try:
            value = float(part[key])
        except (TypeError, ValueError):
            value = float("nan")
        if not abs(value) <= most:
            raise graph(131009, f"{where}['{key}'] is not valid.")
    text(part, "name", where, 0, 1000, required=False)
    text(part, "address", where, 0, 1000, required=False)


_NAME_PARTS = ("first_name", "last_name", "middle_name", "suffix", "prefix")


def _contacts(body: Json) -> Media:
    for index, entry in enumerate(items(body, "contacts", "", 1, 257)):
        where = f"contacts[{index}]"
        known(entry, where, "addresses", "birthday", "emails", "name", "org", "phones", "urls")
        name = obj(entry, "name", where)
        known(name, f"{where}['name']", "formatted_name", *_NAME_PARTS)
        text(name, "formatted_name", f"{where}['name']", 1, 1000)
        if not any(isinstance(name.get(part), str) and name[part] for part in _NAME_PARTS):
            raise graph(131009, f"{where}['name'] needs one more part beside formatted_name.")
        for kind, keys in _CONTACT_LISTS.items():
            for place, item in enumerate(items(entry, kind, where, 0, 100, required=False)):
                known(item, f"{where}['{kind}'][{place}]", *keys)
        birthday = text(entry, "birthday", where, 1, 20, required=False)
        if birthday is not None and not re.fullmatch(r"\d{4}-\d\d-\d\d", birthday):
            raise graph(131009, f"{where}['birthday'] must be YYYY-MM-DD.")
    return []


_CONTACT_LISTS = {
    "addresses": ("street", "city", "state", "zip", "country", "country_code", "type"),
    "emails": ("email", "type"),
    "phones": ("phone", "type", "wa_id"),
    "urls": ("url", "type"),
}


def _reaction(body: Json) -> Media:
    part = obj(body, "reaction", "")
    known(part, "reaction", "message_id", "emoji")
    text(part, "message_id", "reaction", 1, 1000)
    symbol = text(part, "emoji", "reaction", 0, 64)
    if symbol and (emoji.emoji_count(symbol) != 1 or not emoji.purely_emoji(symbol)):
        raise graph(131009, "reaction['emoji'] must be one emoji.")
    return []


def _interactive(body: Json) -> Media:
    found = list(interactive.check(obj(body, "interactive", "")))
    for kind, part in found:
        media(part, kind, f"interactive['header']['{kind}']", ("filename",) if kind == "document" else ())
    return found


def _template(body: Json) -> Media:
    obj(body, "template", "")
    return []


_CHECKS: dict[str, Callable[[Json], Media]] = {
    "text": _text,
    "image": _media("image", "caption"),
    "video": _media("video", "caption"),
    "audio": _media("audio", "voice"),
    "document": _media("document", "caption", "filename"),
    "sticker": _media("sticker"),
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    "interactive": _interactive,
    "template": _template,
}
