"""Splits a webhook body into journal entries without understanding it. Never raises, never drops an item.

Envelope: `{"object", "entry": [{"id", "time"?, "changes": [{"field", "value": {"metadata", "contacts"?, "messages"?,
"statuses"?, "errors"?, …}}]}]}`; every list may hold more than one (Meta: whatsapp/webhooks/overview). 360Dialog passes
it through as it is.

Bodies of the entries (`at` is the item's own moment in unix seconds, or the arrival when it names none):

    wa.message   {"item": message, "contact": element of contacts[] or null, "metadata", "field", "errors", "at"}
    wa.status    {"item": status, "metadata", "field", "at"}
    wa.other     {"item": anything, "list": key it stood under or "", "metadata", "field", "at"}
                 {"text": beginning of a body that is no JSON, "at"}
"""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from bot.ports import Entry, Kind
from bot.whatsapp.raw import fingerprint, items, message_id, moment, obj, sender, short_id, text

_LONGEST_TEXT = 65_536
_DEEPEST = 64
_LISTS = ("message_echoes", "calls", "groups", "user_preferences", "errors")
"""Lists of items that are neither messages nor statuses; whatever else a value holds stays together as one item."""
_CONTEXT = {"messaging_product", "metadata", "contacts", "messages", "statuses", *_LISTS}
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""Half characters cannot be written as UTF-8, and PostgreSQL stores no NUL; JSON escapes can hold both."""


def entries(body: bytes, number: str, received_at: float) -> list[Entry]:
    """One entry per item, in the order of the body; the same item twice in one body is one entry.

    `number` is the id of the connected number that the address belongs to, `received_at` unix seconds.
    """
    try:
        data = _read(body)
    except (ValueError, RecursionError):
        return [_Value(number, received_at).text(_text_of(body))]
    found: dict[str, Entry] = {}
    for field, value, sent in _values(data):
        place = _Value(number, received_at, field, sent)
        for entry in place.entries(value) if isinstance(value, dict) else [place.other("", value)]:
            found.setdefault(entry.key, entry)
    return list(found.values())


def _values(data: object) -> Iterator[tuple[str, object, object]]:
    """Each `field`, `value` and the `time` of its entry. A level that is missing or no object is itself the value."""
    if isinstance(data, list) and any(isinstance(one, dict) for one in data):
        for one in data:
            yield from _values(one) if isinstance(one, dict) else [("", one, None)]
        return
    if not (found := items(obj(data).get("entry"))):
        yield "", data, None
        return
    for entry in found:
        changes = items(obj(entry).get("changes"))
        if not changes:
            yield "", entry, obj(entry).get("time")
        for change in changes:
            field = text(obj(change).get("field"))
            values = [value for value in items(obj(change).get("value")) if isinstance(value, dict) and value]
            for value in values or [change]:
                yield field, value, entry.get("time")


@dataclass(slots=True)
class _Value:
    """One `changes[].value` and what stands around it; `sent` is the entry's `time`."""

    number: str
    received_at: float
    field: str = ""
    sent: object = None

    def entries(self, value: Mapping[str, Any]) -> Iterator[Entry]:
        metadata = value.get("metadata")
        messages, statuses = items(value.get("messages")), items(value.get("statuses"))
        others: list[tuple[str, object]] = []
        echoes = self.field.endswith("message_echoes")  # the business wrote them, under whatever key they stand
        for item in messages:
            if echoes:
                others.append(("message_echoes", item))
            elif self.field == "history":  # files of chats of long ago, from either side (Meta: webhook "history")
                others.append(("history", item))
            elif isinstance(item, dict):
                yield self.message(item, value, alone=len(messages) == 1)
            else:
                others.append(("messages", item))
        for item in statuses:
            if isinstance(item, dict):
                yield self.status(item, metadata)
            else:
                others.append(("statuses", item))
        for name in _LISTS:
            if name in value and (name != "errors" or not messages):  # beside messages they travel with them
                others += [(name, item) for item in items(value[name])]
        rest = {name: value[name] for name in value if name not in _CONTEXT}
        if rest or not (messages or statuses or others):
            others.append(("", rest or value))
        for name, item in others:
            yield self.other(name, item, metadata)

    def message(self, item: Mapping[str, Any], value: Mapping[str, Any], *, alone: bool) -> Entry:
        contact = _contact_of(item, [one for one in items(value.get("contacts")) if isinstance(one, dict)], alone=alone)
        group = short_id(item.get("group_id"))
        lane = f"group:{group}" if group else sender(item, contact or {})
        body = {
            "item": item,
            "contact": contact,
            "metadata": value.get("metadata"),
            "field": self.field,
            "errors": value.get("errors"),
        }
        return self._entry("wa.message", f"wa:{message_id(item)}", f"in:{self.number}:{lane}", body)

    def status(self, item: Mapping[str, Any], metadata: object) -> Entry:
        id = message_id(item)
        body = {"item": item, "metadata": metadata, "field": self.field}
        return self._entry("wa.status", f"st:{id}:{short_id(item.get('status'))}", f"st:{self.number}:{id}", body)

    def other(self, name: str, item: object, metadata: object = None) -> Entry:
        """The entry's `time` is part of the identity: a template may be paused twice, in the same words."""
        key = f"ot:{self.number}:{fingerprint([self.field, name, item, self.sent])}"
        body = {"item": item, "list": name, "metadata": metadata, "field": self.field}
        lane = f"other:{self.number}"
        if name == "message_echoes":  # in the order of what the customer writes
            to = {"from": obj(item).get("to"), "from_user_id": obj(item).get("to_user_id")}
            whose = sender(to, {})
            lane = f"in:{self.number}:{whose}" if whose else lane
        return self._entry("wa.other", key, lane, body)

    def text(self, raw: str) -> Entry:
        body = {"text": raw[:_LONGEST_TEXT].replace("\x00", "�")}
        return self._entry("wa.other", f"ot:{self.number}:{fingerprint(raw)}", f"other:{self.number}", body)

    def _entry(self, kind: Kind, key: str, lane: str, body: dict[str, Any]) -> Entry:
        stamp = obj(body.get("item")).get("timestamp")
        at = body["at"] = moment(stamp) or moment(self.sent) or self.received_at
        return Entry(key, lane, kind, body, at_ms=int(at * 1000), source=self.number)


def _contact_of(item: Mapping[str, Any], contacts: list[dict[str, Any]], *, alone: bool) -> Mapping[str, Any] | None:
    """The sender's element of `contacts[]`, by phone or user id; a lone contact belongs to a lone message."""
    for ours, theirs in (("from", "wa_id"), ("from_user_id", "user_id")):
        name = text(item.get(ours))
        for contact in contacts:
            if name and text(contact.get(theirs)) == name:
                return contact
    return contacts[0] if alone and len(contacts) == 1 else None


def _read(body: bytes) -> Any:
    """JSON that can be stored. The fast reader takes nearly all; what it refuses (half characters, bytes that are no
    UTF-8, `NaN`) or would round (long whole numbers) goes to the patient one, and so does what can hold more than a
    database takes: NUL, and many levels. Raises ValueError and RecursionError."""
    plain = body.translate(_AS_ZEROS, _OPENING)
    # `in` makes and swallows an error each time it looks into bytes for bytes (CPython's bytes_methods.c).
    if plain.find(_MANY_DIGITS) < 0 and body.find(_NUL) < 0 and len(body) - len(plain) <= _DEEPEST:
        try:
            return orjson.loads(body)
        except ValueError:
            pass
    return _storable(_JSON.decode(_text_of(body)))


def _text_of(body: bytes) -> str:
    return body.removeprefix(BOM_UTF8).decode("utf-8", "replace")


def _finite(digits: str) -> float | str:
    """`1e999` is infinite for Python and unwritable for JSON: it stays text."""
    number = float(digits)
    return number if math.isfinite(number) else digits


_JSON = json.JSONDecoder(parse_constant=str, parse_float=_finite)
_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_MANY_DIGITS = b"0" * 19
"""The largest that fits into 64 bits has 19 or 20."""
_OPENING, _NUL = b"{[", b"\\u0000"


def _storable(value: Any, depth: int = 0) -> Any:
    """The same JSON without characters that no database takes, and without depths that no encoder can climb."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("�", value)
    if depth > _DEEPEST and isinstance(value, dict | list):
        return "(nested too deep)"
    if isinstance(value, dict):
        return {_UNSTORABLE.sub("�", key): _storable(part, depth + 1) for key, part in value.items()}
    if isinstance(value, list):
        return [_storable(part, depth + 1) for part in value]
    return value
