"""What the page shows, as plain JSON: one whole picture each time, so that nothing can get out of step.

Times are unix milliseconds. Texts are data; the page draws them as text. Words of the page itself live in its html.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import emoji

from bot.sandbox.dialog360 import Customer, Dialog360Sandbox, Message, SandboxNumber
from bot.sandbox.rocketchat import Doc, RocketChatSandbox, User

Json = dict[str, Any]

LATEST = 200
"""Messages shown per room."""
FILES = ("image", "video", "audio", "document", "sticker")
HIDDEN = ("command",)
"""System messages that clients do not show."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays along."""

    rc: RocketChatSandbox
    wa: Dialog360Sandbox
    number: SandboxNumber
    customer: Customer
    admin: User
    agent: User
    setup_room: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something only one person sees, such as "No such command"; it is no message and leaves no trace."""

    id: str
    to: str
    rid: str
    text: str
    at: int


def picture(cast: Cast, notes: Iterable[Note], delivered: set[str]) -> Json:
    chats = [_chat(cast, room, notes) for room in cast.rc.rooms.values() if room["t"] == "l"]
    phone = list(_phone(cast, delivered))
    setup = cast.rc.rooms[cast.setup_room]
    return {
        "number": {"name": cast.number.name, "phone": cast.number.phone, "key": cast.number.api_key},
        "connected": cast.number.webhook is not None,
        "customer": {"name": cast.customer.name, "phone": cast.customer.phone},
        "admin": cast.admin.name,
        "agent": cast.agent.name,
        "phone": phone,
        "setup": {
            "rid": cast.setup_room,
            "name": str(setup.get("name", "")),
            "messages": _messages(cast, cast.setup_room, cast.admin, notes),
        },
        "chats": chats[-20:],
        "steps": _steps(cast, phone, chats),
    }


def _steps(cast: Cast, phone: list[Json], chats: list[Json]) -> list[bool]:
    """Which of the three are done: the number is connected, the agent reads the customer, the customer the agent."""
    lines = [message for chat in chats for message in chat["messages"] if not message["system"]]
    answers = [message["text"] for message in lines if message["own"]]
    arrived = [str(item["text"]) for item in phone if not item["mine"]]
    return [
        cast.number.webhook is not None,
        any(message["guest"] for message in lines),
        any(answer and arrived for answer in answers),
    ]


# --- the phone ------------------------------------------------------------------------------------------------------


def _phone(cast: Cast, delivered: set[str]) -> Iterable[Json]:
    mine = [m for m in cast.wa.messages.values() if m.customer is cast.customer and m.number is cast.number]
    shown = [message for message in mine if message.inbound or message.received]
    reactions: dict[str, dict[bool, str]] = {}
    for message in shown:
        if message.body.get("type") == "reaction":
            part = message.body["reaction"]
            reactions.setdefault(part["message_id"], {})[message.inbound] = part.get("emoji", "")
    for message in shown[-LATEST:]:
        if message.body.get("type") == "reaction":
            continue
        yield {
            "id": message.wamid,
            "mine": message.inbound,
            "at": int(message.at * 1000),
            "state": _state(message, delivered),
            "reactions": [mark for mark in reactions.get(message.wamid, {}).values() if mark],
            **_bubble(cast, message),
        }


def _state(message: Message, delivered: set[str]) -> str:
    if message.received:
        return message.received.status
    return "read" if message.read else "delivered" if message.wamid in delivered else "sent"


def _bubble(cast: Cast, message: Message) -> Json:
    kind = str(message.body.get("type", "text"))
    quoted = cast.wa.messages.get((message.body.get("context") or {}).get("message_id", ""))
    choices = cast.customer.choices(message.received) if message.received else []
    bubble: Json = {"text": "", "file": None, "choices": choices, "quote": _words(quoted) if quoted else ""}
    if kind in FILES:
        part = message.body[kind]
        bubble["text"] = part.get("caption", "")
        bubble["file"] = _file(cast, part, kind)
    else:
        labels = [f"[{label}]" for label in choices]
        bubble["text"] = "\n".join(line for line in _words(message).split("\n") if line not in labels).strip()
    return bubble


def _words(message: Message) -> str:
    if message.received:
        return message.received.text
    body = message.body
    match body.get("type"):
        case "text":
            return str(body["text"]["body"])
        case "interactive":
            reply = body["interactive"].get("button_reply") or body["interactive"].get("list_reply") or {}
            return str(reply.get("title", ""))
        case "button":
            return str(body["button"]["text"])
        case kind:
            return f"[{kind}]"


def _file(cast: Cast, part: Mapping[str, Any], kind: str) -> Json:
    stored = cast.wa.media.find(cast.number, part["id"], cast.wa.now()) if "id" in part else None
    name = part.get("filename") or (stored.filename if stored else "") or kind
    return {"name": name, "image": kind in ("image", "sticker"), "url": f"/file/wa/{stored.id}" if stored else ""}


# --- the workspace --------------------------------------------------------------------------------------------------


def _chat(cast: Cast, room: Doc, notes: Iterable[Note]) -> Json:
    return {
        "rid": room["_id"],
        "name": str(room.get("fname", "")),
        "open": bool(room.get("open")),
        "queued": bool(room.get("open")) and "servedBy" not in room,
        "messages": _messages(cast, room["_id"], cast.agent, notes),
    }


def _messages(cast: Cast, rid: str, viewer: User, notes: Iterable[Note]) -> list[Json]:
    """A room as `viewer` sees it, with the notes that only this person sees."""
    found = [_message(doc, viewer) for doc in cast.rc.messages(rid)[-LATEST:] if doc.get("t") not in HIDDEN]
    found += [_note(note) for note in notes if note.rid == rid and note.to == viewer.id]
    return sorted(found, key=lambda message: message["at"])


def _note(note: Note) -> Json:
    return {**_EMPTY, "id": note.id, "at": note.at, "text": note.text, "note": True}


_EMPTY: Json = {
    "who": "", "text": "", "own": False, "guest": False, "note": False, "system": "", "edited": False,
    "thread": False, "parts": [], "reactions": [],
}  # fmt: skip


def _message(doc: Doc, viewer: User) -> Json:
    return {
        **_EMPTY,
        "id": doc["_id"],
        "at": int(doc["ts"].timestamp() * 1000),
        "who": doc.get("alias") or doc["u"].get("name") or doc["u"]["username"],
        "text": emoji.emojize(doc["msg"], language="alias"),
        "own": doc["u"]["_id"] == viewer.id,
        "guest": "token" in doc,
        "system": doc.get("t", ""),
        "edited": "editedAt" in doc,
        "thread": "tmid" in doc,
        "parts": [_part(attachment) for attachment in doc.get("attachments") or []],
        "reactions": [
            {"mark": emoji.emojize(name, language="alias"), "count": len(entry["usernames"])}
            for name, entry in (doc.get("reactions") or {}).items()
        ],
    }


def _part(attachment: Mapping[str, Any]) -> Json:
    """An attachment: buttons, a file, a quote, or a text."""
    path = str(attachment.get("title_link") or "")
    actions = [
        {"label": action.get("text", ""), "url": action.get("url", "")}
        for action in attachment.get("actions") or []
        if action.get("type") == "button" and (action.get("url") or action.get("msg_in_chat_window"))
    ]
    return {
        "title": str(attachment.get("title") or ""),
        "text": str(attachment.get("description") or attachment.get("text") or ""),
        "quoted": str(attachment.get("author_name") or "") if attachment.get("message_link") else "",
        "file": f"/file/rc/{path.split('/')[2]}" if path.startswith("/file-upload/") else "",
        "image": bool(attachment.get("image_url")),
        "fields": [{"title": field["title"], "value": str(field["value"])} for field in attachment.get("fields") or []],
        "actions": actions,
    }
