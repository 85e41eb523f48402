"""Deliveries and frames of every kind, in the shapes of Meta's and Rocket.Chat's documentation, and ways to spoil them.

Sources of the shapes: Meta: whatsapp/webhooks/reference; Rocket.Chat: the message stream (`stream-room-messages`).
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

_MEDIA = {"id": "1234567890", "mime_type": "image/jpeg", "sha256": "x" * 43, "caption": "look", "filename": "a.jpg"}
_KINDS: dict[str, Any] = {
    "text": {"body": "Hello *there* @all"},
    "image": _MEDIA,
    "document": _MEDIA,
    "audio": {**_MEDIA, "voice": True},
    "sticker": {**_MEDIA, "animated": False},
    "location": {
        "latitude": 52.5,
        "longitude": 13.4,
        "name": "Here",
        "address": "Street 1",
        "url": "https://x.example",
    },
    "contacts": [
        {"name": {"formatted_name": "Ann"}, "phones": [{"phone": "+49", "wa_id": "49", "type": "CELL"}], "emails": []}
    ],
    "interactive": {"type": "list_reply", "list_reply": {"id": "choice:1", "title": "One", "description": "first"}},
    "button": {"payload": "yes", "text": "Yes"},
    "order": {"catalog_id": "1", "text": "soon", "product_items": [{"product_retailer_id": "a", "quantity": 1}]},
    "reaction": {"message_id": "wamid.A", "emoji": "👍"},
    "system": {"body": "changed", "wa_id": "49170", "type": "user_changed_number"},
    "unsupported": {"type": "unknown"},
    "edit": {"original_message_id": "wamid.A", "message": {"type": "text", "text": {"body": "b"}}},
}


def _message(kind: str) -> dict[str, Any]:
    message = {"from": "491701234567", "id": f"wamid.{kind}", "timestamp": "1700000000", "type": kind}
    more = {"context": {"id": "wamid.B", "forwarded": True}, "errors": [{"code": 131051, "title": "t"}]}
    return {**message, kind: _KINDS[kind], **more}


def _delivery(**value: Any) -> dict[str, Any]:
    known = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "4915112345678", "phone_number_id": "1"},
        "contacts": [{"profile": {"name": "Maria"}, "wa_id": "491701234567"}],
    }
    change = {"field": "messages", "value": {**known, **value}}
    return {"object": "whatsapp_business_account", "entry": [{"id": "1", "time": 1700000000, "changes": [change]}]}


DELIVERIES: list[Any] = [
    *(_delivery(messages=[_message(kind)]) for kind in _KINDS),
    _delivery(statuses=[{"id": "wamid.C", "status": "failed", "timestamp": "1700000000", "recipient_id": "49",
                         "errors": [{"code": 131026, "title": "t", "error_data": {"details": "d"}}]}]),
    _delivery(message_echoes=[{**_message("text"), "to": "491701234567"}], errors=[{"code": 1}]),
]  # fmt: skip

REQUEST = {
    "phoneNumbers": ["+491701234567"],
    "connectedWhatsAppNo": "+4915112345678",
    "targetAgent": "ben",
    "template": {
        "name": "order_update",
        "language": {"code": "en", "policy": "deterministic"},
        "components": [
            {"type": "body", "parameters": [{"type": "text", "text": "a"}]},
            {"type": "button", "sub_type": "url", "index": 0, "parameters": [{"type": "text", "text": "x"}]},
        ],
    },
}

_CHAT = {
    "_id": "m1", "rid": "r1", "msg": "[ ](https://chat.example/live/r1?msg=wa-1)\nsure", "ts": {"$date": 1},
    "u": {"_id": "agt", "username": "a", "name": "A"}, "_updatedAt": {"$date": 1}, "urls": [{"url": "https://x"}],
    "attachments": [{"text": "hello", "message_link": "https://chat.example/live/r1?msg=wa-1", "title": "a.jpg",
                     "title_link": "/file-upload/f1/a.jpg", "actions": [{"type": "button", "text": "x", "msg": "y"}]}],
    "file": {"_id": "f1", "name": "a.jpg", "type": "image/jpeg", "size": 1}, "files": [{"_id": "f1", "name": "a.jpg"}],
    "reactions": {":x:": {"usernames": ["a"]}}, "editedAt": {"$date": 1}, "token": "t", "tmid": "m0",
}  # fmt: skip
FRAMES: list[Any] = [
    {"msg": "connected", "session": "x"},
    {"msg": "ping", "id": "1"},
    {"msg": "result", "id": "1", "error": {"error": "too-many-requests", "details": {"timeToReset": 1000}}},
    {"msg": "ready", "subs": ["2"]},
    {"msg": "nosub", "id": "2", "error": {"error": 404}},
    {"msg": "changed", "collection": "stream-room-messages", "fields": {
        "eventName": "__my_messages__", "args": [_CHAT, {"roomParticipant": False, "roomType": "l"}]}},
    {"msg": "error", "reason": "x", "offendingMessage": {"id": "1"}},
]  # fmt: skip

_ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=30),
    st.sampled_from(
        ["", " ", "\x00", "\ud800", "\u202e", "@all", "@here", "[a](https://evil.example)", "1e999", "-1", "9" * 400,
         "../../etc/passwd", [], {}, [[]], {"": {}}, 10**30, -(10**30), 1e308, [None], {"$date": None}, "\u2028"]
    ),
    st.recursive(st.none(), lambda inner: st.lists(inner, max_size=2), max_leaves=8),
)  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn, good: list[Any]) -> Any:
    """A good one in which up to four places hold something else, lie in a list, or are gone."""
    value = draw(st.sampled_from(good))
    for _ in range(draw(st.integers(1, 4))):
        value = _spoil(draw, value)
    return value


def _spoil(draw: st.DrawFn, value: Any) -> Any:
    inside = isinstance(value, dict | list) and len(value) > 0
    if not inside or draw(st.integers(0, 5)) == 0:
        return draw(_ODD) if draw(st.booleans()) else [value]
    if isinstance(value, list):
        at = draw(st.integers(0, len(value) - 1))
        kept = [] if draw(st.integers(0, 6)) == 0 else [_spoil(draw, value[at])]
        return [*value[:at], *kept, *value[at + 1 :]]
    name = draw(st.sampled_from(sorted(value)))
    rest = {key: one for key, one in value.items() if key != name}
    return rest if draw(st.integers(0, 6)) == 0 else {**rest, name: _spoil(draw, value[name])}
