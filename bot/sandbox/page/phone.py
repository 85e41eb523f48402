"""The customer's phone: what each message looks like there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bot.sandbox.dialog360 import Message
from bot.sandbox.page.cast import LATEST, Cast

Json = dict[str, Any]
FILES = ("image", "video", "audio", "document", "sticker")
_LONGEST_QUOTE = 160


def bubbles(cast: Cast, delivered: set[str]) -> Iterable[Json]:
    """`mine`: the customer's own."""
    mine = [m for m in cast.wa.messages.values() if m.customer is cast.customer and m.number is cast.number]
    shown = [message for message in mine if message.inbound or message.received]
    reactions: dict[str, dict[bool, str]] = {}
    for message in shown:
        if message.body.get("type") == "reaction":
            part = message.body["reaction"]
            reactions.setdefault(part["message_id"], {})[message.inbound] = part.get("emoji", "")
    for message in [one for one in shown if one.body.get("type") != "reaction"][-LATEST:]:
        marks = reactions.get(message.wamid, {})
        yield {
            "id": message.wamid,
            "mine": message.inbound,
            "at": int(message.at * 1000),
            "state": _state(message, delivered),
            "reactions": [{"mark": mark, "count": 1, "own": own} for own, mark in marks.items() if mark],
            "quote": _quote(cast, message),
            **_content(cast, message),
        }


def _state(message: Message, delivered: set[str]) -> str:
    if message.received:
        return message.received.status
    return "read" if message.read else "delivered" if message.wamid in delivered else "sent"


def _quote(cast: Cast, message: Message) -> Json | None:
    context = message.body.get("context") or {}
    quoted = cast.wa.messages.get(context.get("id") or context.get("message_id") or "")
    if quoted is None:
        return None
    return {
        "who": cast.customer.name if quoted.inbound else cast.number.name,
        "text": _words(cast, quoted)[:_LONGEST_QUOTE],
    }


_EMPTY: Json = {"header": "", "text": "", "footer": "", "file": None, "choices": [], "menu": "", "links": []}


def _content(cast: Cast, message: Message) -> Json:
    kind = str(message.body.get("type", "text"))
    if kind in FILES:
        part = message.body[kind]
        return {**_EMPTY, "text": part.get("caption", ""), "file": _file(cast, part, kind)}
    choices = [{"label": label, "more": ""} for label in _choices(cast, message)]
    if kind == "interactive" and message.received:
        return {**_EMPTY, "choices": choices, **_interactive(cast, message.body["interactive"])}
    if message.received and (card := message.received.card):
        return {
            **_EMPTY,
            "header": card.header,
            "text": card.body,
            "footer": card.footer,
            "file": _header_file(cast, message.body["template"]),
            "choices": choices,
            "links": [{"label": label, "leads": leads} for label, leads in card.buttons if leads],
        }
    return {**_EMPTY, "text": _words(cast, message)}


def _choices(cast: Cast, message: Message) -> list[str]:
    return cast.customer.choices(message.received) if message.received else []


def _interactive(cast: Cast, part: Mapping[str, Any]) -> Json:
    """`menu`: the button that opens a list; rows of a list have a second line."""
    header, action = part.get("header") or {}, part["action"]
    kind = str(header.get("type", ""))
    made: Json = {
        "header": header.get("text", ""),
        "text": part.get("body", {}).get("text", ""),
        "footer": part.get("footer", {}).get("text", ""),
        "file": _file(cast, header[kind], kind) if kind in FILES else None,
    }
    if sections := action.get("sections"):
        rows = [row for section in sections for row in section.get("rows", [])]
        made["menu"] = str(action.get("button", ""))
        made["choices"] = [{"label": row["title"], "more": row.get("description", "")} for row in rows]
    return made


def _header_file(cast: Cast, template: Mapping[str, Any]) -> Json | None:
    for component in template.get("components") or []:
        if str(component.get("type")).lower() == "header":
            for parameter in component.get("parameters") or []:
                kind = str(parameter.get("type"))
                if kind in FILES:
                    return _file(cast, parameter[kind], kind)
    return None


def _file(cast: Cast, part: Mapping[str, Any], kind: str) -> Json:
    """A file by link is not shown, only named: the page loads nothing from elsewhere."""
    stored = cast.wa.media.find(cast.number, part["id"], cast.wa.now()) if "id" in part else None
    name = part.get("filename") or (stored.filename if stored else "") or part.get("link") or kind
    url = f"/file/wa/{stored.id}" if stored else ""
    return {"name": name, "image": bool(url) and kind in ("image", "sticker"), "url": url}


def _words(cast: Cast, message: Message) -> str:
    """A message as one text, for quotes and for kinds that have no shape of their own here."""
    body, kind = message.body, str(message.body.get("type", "text"))
    if kind in FILES:
        return str(body[kind].get("caption") or _file(cast, body[kind], kind)["name"])
    if message.received:
        text = body["interactive"]["body"]["text"] if kind == "interactive" else message.received.text
        return message.received.card.body if message.received.card else str(text)
    match kind:
        case "text":
            return str(body["text"]["body"])
        case "interactive":
            reply = body["interactive"].get("button_reply") or body["interactive"].get("list_reply") or {}
            return str(reply.get("title", ""))
        case "button":
            return str(body["button"]["text"])
        case "location":
            place = body["location"]
            return "\n".join(str(place[key]) for key in ("name", "address") if place.get(key))
        case "contacts":
            return "\n".join(_card(card) for card in body["contacts"])
    return f"[{kind}]"


def _card(card: Mapping[str, Any]) -> str:
    return "\n".join([str(card["name"]["formatted_name"]), *(str(one["phone"]) for one in card.get("phones", []))])
