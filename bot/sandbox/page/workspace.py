"""The workspace: rooms as one person sees them, and what became of their messages on WhatsApp."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import emoji

from bot.sandbox.dialog360 import Call
from bot.sandbox.page.cast import LATEST, Cast, Note
from bot.sandbox.rocketchat import Doc, User

Json = dict[str, Any]
Fates = Mapping[str, str]
"""By the id of a Rocket.Chat message: sent, delivered, read, played or failed."""

HIDDEN = ("command",)
"""System messages that clients do not show."""
_QUOTE_LINK = re.compile(r"^(?:\[ ?\]\(https?://[^\s)]+\)\s*)+")
"""What stands in front of a text that quotes; clients show it as nothing."""
_ID = re.compile(r"[A-Za-z0-9]{17}")
_BUSY = (408, 425, 429)


def fates(cast: Cast, refused: Fates) -> Fates:
    """Read off the wire: the bot names its message in `biz_opaque_callback_data`. Of several parts the least counts."""
    rank = ("failed", "", "sent", "delivered", "read", "played")
    found: dict[str, str] = {}
    for message in cast.wa.messages.values():
        if message.inbound or message.body.get("type") == "reaction":
            continue
        state = message.state if message.state in rank else ""
        for id in named_in(message.body):
            found[id] = min(found.get(id, state), state, key=rank.index)
    return {**refused, **found}


def refusal(call: Call) -> list[str]:
    """Ids of the Rocket.Chat messages that 360Dialog did not take in this call, and will not take again."""
    final = call.path.endswith("/messages") and 400 <= call.status < 500 and call.status not in _BUSY
    return named_in(call.body) if final and call.method == "POST" else []


def named_in(body: object) -> list[str]:
    opaque = body.get("biz_opaque_callback_data") if isinstance(body, dict) else None
    return _ID.findall(opaque) if isinstance(opaque, str) else []


def chat(cast: Cast, room: Doc, notes: Iterable[Note], fates: Fates) -> Json:
    return {
        "rid": room["_id"],
        "name": str(room.get("fname", "")),
        "open": bool(room.get("open")),
        "queued": bool(room.get("open")) and "servedBy" not in room,
        "messages": messages(cast, room["_id"], cast.agent, notes, fates),
    }


def messages(cast: Cast, rid: str, viewer: User, notes: Iterable[Note], fates: Fates) -> list[Json]:
    """A room as `viewer` sees it, with the notes that only this person sees."""
    docs = [doc for doc in cast.rc.messages(rid) if doc.get("t") not in HIDDEN][-LATEST:]
    found = [_message(doc, viewer, fates.get(doc["_id"], "")) for doc in docs]
    found += [_note(note) for note in notes if note.rid == rid and note.to == viewer.id]
    return sorted(found, key=lambda message: message["at"])


def _note(note: Note) -> Json:
    return {**_EMPTY, "id": note.id, "at": note.at, "text": note.text, "note": True}


_EMPTY: Json = {
    "who": "", "text": "", "own": False, "guest": False, "note": False, "system": "", "edited": False,
    "thread": False, "state": "", "quotes": [], "parts": [], "reactions": [],
}  # fmt: skip


def _message(doc: Doc, viewer: User, state: str) -> Json:
    attachments = doc.get("attachments") or []
    return {
        **_EMPTY,
        "id": doc["_id"],
        "at": int(doc["ts"].timestamp() * 1000),
        "who": doc.get("alias") or doc["u"].get("name") or doc["u"]["username"],
        "text": _text(doc["msg"]),
        "own": doc["u"]["_id"] == viewer.id,
        "guest": "token" in doc,
        "system": doc.get("t", ""),
        "edited": "editedAt" in doc,
        "thread": "tmid" in doc,
        "state": state,
        "quotes": [_quote(one) for one in attachments if one.get("message_link")],
        "parts": [_part(one) for one in attachments if not one.get("message_link")],
        "reactions": [
            {
                "mark": emoji.emojize(name, language="alias"),
                "count": len(entry["usernames"]),
                "own": viewer.username in entry["usernames"],
            }
            for name, entry in (doc.get("reactions") or {}).items()
        ],
    }


def _text(raw: object) -> str:
    return emoji.emojize(_QUOTE_LINK.sub("", str(raw or "")), language="alias")


def _quote(attachment: Mapping[str, Any]) -> Json:
    """Of a message without words the name of its file."""
    inner = attachment.get("attachments") or []
    named = next((str(one["title"]) for one in inner if one.get("title")), "")
    return {"who": str(attachment.get("author_name") or ""), "text": _text(attachment.get("text")) or named}


def _part(attachment: Mapping[str, Any]) -> Json:
    """An attachment: buttons, a file, or a text."""
    path = str(attachment.get("title_link") or "")
    actions = [
        {"label": action.get("text", ""), "url": action.get("url", "")}
        for action in attachment.get("actions") or []
        if action.get("type") == "button" and (action.get("url") or action.get("msg_in_chat_window"))
    ]
    return {
        "title": str(attachment.get("title") or ""),
        "text": str(attachment.get("description") or attachment.get("text") or ""),
        "file": f"/file/rc/{path.split('/')[2]}" if path.startswith("/file-upload/") else "",
        "image": bool(attachment.get("image_url")),
        "fields": [{"title": field["title"], "value": str(field["value"])} for field in attachment.get("fields") or []],
        "actions": actions,
    }
