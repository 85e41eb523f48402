"""Reading JSON whose shape nobody promised: every function takes any value and never raises.

Meta writes numbers as strings and strings as numbers, leaves keys out, and sends a single object where a list is
documented. Here is the one place that knows it.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from bot.model import ContactId, WireError

_USER_ID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
_PHONE = re.compile(r"\+?[\d ().-]{5,30}", re.ASCII)
_NO_DIGIT = re.compile(r"\D")
_LONGEST_ID = 400
_EARLIEST, _LATEST = 1_000_000_000, 10_000_000_000
"""Unix seconds from 2001 to 2286: outside of it a number is no moment in seconds."""


def text(value: object) -> str:
    """A string as it is, a number in its shortest form (`30.0` is `30`), everything else empty."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def line(value: object, limit: int = 300) -> str:
    """The same in one line, at most `limit` characters."""
    return " ".join(text(value)[: limit * 4].split())[:limit]


def obj(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """A list as it is; a lone value as a list of one; nothing as an empty list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def number(value: object) -> float | None:
    """A finite number, also when it is written as a string."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if math.isfinite(read) else None


def moment(value: object) -> float | None:
    """Unix seconds, string or number (Meta: "timestamp"); None when it cannot be one."""
    read = number(value)
    return read if read is not None and _EARLIEST <= read < _LATEST else None


def fingerprint(value: object) -> str:
    """Identity of a value that has no id: equal JSON, equal fingerprint."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=repr).encode()).hexdigest()[:32]


def short_id(value: object) -> str:
    """An id as it is: opaque and case-sensitive. One that is absurdly long is named by its fingerprint."""
    id = text(value)
    return id if len(id) <= _LONGEST_ID else f"#{fingerprint(id)}"


def message_id(item: Mapping[str, Any]) -> str:
    """The wamid, or a fingerprint when there is none, so that two messages without id stay two."""
    return short_id(item.get("id")) or f"#{fingerprint(item)}"


def is_user_id(name: str) -> bool:
    """A business-scoped user id: `DE.1234567890` (Meta: whatsapp/business-scoped-user-ids)."""
    return _USER_ID.fullmatch(name) is not None


def phone_digits(name: str) -> str:
    """`+1 (983) 555-2319` → `19835552319`; empty when it is no phone number, such as a user id."""
    return _NO_DIGIT.sub("", name) if _PHONE.fullmatch(name) else ""


def identity(item: Mapping[str, Any], contact: Mapping[str, Any]) -> tuple[ContactId, str, str]:
    """Who wrote: contact id, phone with plus or empty, user id or empty.

    People with a user name may come without `from` and `wa_id`, and some senders put the user id into these fields, so
    a phone is what looks like one (Meta: whatsapp/business-scoped-user-ids). A system message that says that somebody's
    user id changed names them in itself alone.
    """
    system = obj(item.get("system"))
    names = [short_id(one) for one in (item.get("from"), contact.get("wa_id"), system.get("customer"))]
    ids = [short_id(one) for one in (item.get("from_user_id"), contact.get("user_id"), system.get("previous_user_id"))]
    digits = next(filter(None, map(phone_digits, names)), "")
    user_id = next(filter(is_user_id, [*ids, *names]), "")
    known = digits or user_id or next(filter(None, [*names, *ids]), "")
    return ContactId(known), f"+{digits}" if digits else "", user_id


def sender(item: Mapping[str, Any], contact: Mapping[str, Any]) -> ContactId:
    """The first of `identity` alone: at the edge it is asked of every message, and nearly all come from a phone."""
    digits = phone_digits(short_id(item.get("from")))
    return ContactId(digits) if digits else identity(item, contact)[0]


def wire_errors(value: object) -> tuple[WireError, ...]:
    """`errors[]` of a message, a status or a webhook value. The reason is in `error_data.details`, or in `details`.

    Meta: whatsapp/webhooks/reference/messages/status.
    """
    found = []
    for error in map(obj, items(value)):
        data = error.get("error_data")
        details = data if isinstance(data, str) else obj(data).get("details") or error.get("details")
        code = number(error.get("code"))
        title = line(error.get("title")) or line(error.get("message"))
        found.append(WireError(int(code) if code is not None else 0, title, line(details)))
    return tuple(found)


def words(errors: tuple[WireError, ...]) -> str:
    """What the first error says to people."""
    return errors[0].details or errors[0].title if errors else ""
