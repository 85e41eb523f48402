"""What the server reads out of a message text before it saves it: links, mentions, channels, markdown, quotes.

Sources: Rocket.Chat apps/meteor/app/lib/server/functions/parseUrlsInMessage.ts,
server/services/messages/hooks/{BeforeSaveMarkdownParser,BeforeSaveJumpToMessage,mentions}.ts.
`md` is simplified: paragraphs of plain text, one per line, whatever the markup.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from bot.sandbox.rocketchat.access import can_access
from bot.sandbox.rocketchat.state import World
from bot.sandbox.rocketchat.wire import Doc

_URL = re.compile(r"https?://[^\s<>\"')\]]+")
_MENTION = re.compile(r"(?:^|(?<=[\s>]))@([0-9a-zA-Z._-]+)", re.MULTILINE)
_CHANNEL = re.compile(r"(?:^|(?<=[\s>]))#([0-9a-zA-Z._-]+)", re.MULTILINE)


def markdown(text: str) -> list[Doc]:
    return [
        {"type": "PARAGRAPH", "value": [{"type": "PLAIN_TEXT", "value": line}]} if line else {"type": "LINE_BREAK"}
        for line in text.split("\n")
        if text
    ]


def fill(world: World, message: Doc) -> None:
    """Sets urls, mentions, channels and md, and rebuilds the quote attachments from the links."""
    text = message["msg"]
    message["urls"] = [{"url": url} for url in dict.fromkeys(_URL.findall(text))]
    described = [str(each.get("description") or "") for each in message.get("attachments") or []]
    message["mentions"] = _mentions(world, "\n".join([text, *described]))
    message["channels"] = _channels(world, text)
    message["md"] = markdown(text)
    _quote(world, message)


def _mentions(world: World, text: str) -> list[Doc]:
    found: list[Doc] = []
    for name in dict.fromkeys(_MENTION.findall(text)):
        if name in ("all", "here"):
            found.append({"_id": name, "username": name})
        elif user := world.user_named(name):
            found.append({**user.short(), "type": "user"})
    return found


def _channels(world: World, text: str) -> list[Doc]:
    rooms = [world.room_named(name) for name in dict.fromkeys(_CHANNEL.findall(text))]
    return [
        {"_id": room["_id"], "name": room["name"], "fname": room.get("fname", room["name"])} for room in rooms if room
    ]


def _quote(world: World, message: Doc) -> None:
    """BeforeSaveJumpToMessage: a link to a message that the author may see becomes an attachment."""
    kept = [attachment for attachment in message.get("attachments") or [] if "message_link" not in attachment]
    site = world.settings["Site_Url"].rstrip("/")
    for url in message["urls"]:
        if not site or site not in url["url"]:
            continue
        ids = parse_qs(urlsplit(url["url"]).query).get("msg")
        original = world.messages.get(ids[0]) if ids else None
        if original is None or not _may_quote(world, message, original):
            continue
        url["ignoreParse"] = True
        kept.append(_attachment(world, original, url["url"]))
    if kept or "attachments" in message:
        message["attachments"] = kept


def _may_quote(world: World, message: Doc, original: Doc) -> bool:
    room = world.rooms.get(original["rid"])
    if room is None:
        return False
    if message.get("token"):
        return room["t"] == "l" and bool(room["v"]["token"] == message["token"])
    return can_access(world, room, message["u"]["_id"])


def _attachment(world: World, original: Doc, link: str) -> Doc:
    author, limit = original["u"], world.settings["Message_QuoteChainLimit"]
    real_name = author.get("name") if world.settings["UI_Use_Real_Name"] else None
    nested = original.get("attachments") or [] if limit >= 2 else []
    return {
        "text": original["msg"],
        "md": original.get("md", []),
        "message_link": link,
        "author_name": original.get("alias") or real_name or author["username"],
        "author_icon": f"/avatar/{author['username']}",
        "attachments": [_pruned(attachment, limit - 2) for attachment in nested],
        "ts": original["ts"],
    }


def _pruned(attachment: Doc, levels: int) -> Doc:
    """A quote inside a quote keeps what hangs below it only down to Message_QuoteChainLimit."""
    if "message_link" not in attachment:
        return attachment
    if levels <= 0:
        return {key: value for key, value in attachment.items() if key != "attachments"}
    return {**attachment, "attachments": [_pruned(each, levels - 1) for each in attachment.get("attachments") or []]}
