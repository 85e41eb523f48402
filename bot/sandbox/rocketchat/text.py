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
_MENTION = re.compile(r"(?:^|(?<=[\s(\[>*_~]))@([0-9a-zA-Z._-]+)")
_CHANNEL = re.compile(r"(?:^|(?<=[\s(\[>*_~]))#([0-9a-zA-Z._-]+)")


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
    message["mentions"] = _mentions(world, text)
    message["channels"] = _channels(world, text)
    message["md"] = markdown(text)
    _quote(world, message)


def _mentions(world: World, text: str) -> list[Doc]:
    found: list[Doc] = []
    for name in dict.fromkeys(_MENTION.findall(text)):
        if name in ("all", "here"):
            found.append({"_id": name, "username": name})
        elif user := world.user_named(name.rstrip(".")):
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
        kept.append(_attachment(world, original, url["url"], world.settings["Message_QuoteChainLimit"]))
    if kept or "attachments" in message:
        message["attachments"] = kept


def _may_quote(world: World, message: Doc, original: Doc) -> bool:
    room = world.rooms.get(original["rid"])
    if room is None:
        return False
    if message.get("token"):
        return room["t"] == "l" and bool(room["v"]["token"] == message["token"])
    return can_access(world, room, message["u"]["_id"])


def _attachment(world: World, original: Doc, link: str, depth: int) -> Doc:
    author = original["u"]
    real_name = author.get("name") if world.settings["UI_Use_Real_Name"] else None
    nested = []
    for attachment in original.get("attachments") or []:
        if "message_link" not in attachment:
            nested.append(attachment)
        elif depth > 1:
            nested.append(_cut(attachment, depth - 1))
    return {
        "text": original["msg"],
        "md": original.get("md", []),
        "message_link": link,
        "author_name": original.get("alias") or real_name or author["username"],
        "author_icon": f"/avatar/{author['username']}",
        "attachments": nested,
        "ts": original["ts"],
    }


def _cut(quote: Doc, depth: int) -> Doc:
    """A quote inside a quote keeps its own quotes only down to Message_QuoteChainLimit."""
    inner = quote.get("attachments") or []
    kept = [_cut(each, depth - 1) if "message_link" in each else each for each in inner
            if depth > 1 or "message_link" not in each]  # fmt: skip
    return {**quote, "attachments": kept}
