"""Reads Rocket.Chat's message documents: those of the stream (EJSON dates) and those of REST (ISO dates) alike.

Sources: Rocket.Chat 8.3 `app/file-upload/server/methods/sendFileMessage.ts` (files and their thumbnails),
`server/services/messages/hooks/BeforeSaveJumpToMessage.ts` (quotes), `app/livechat/server/sendMessageBySMS.ts` (which
messages leave the workspace). No input raises: what cannot be read is None, empty or zero.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from bot.model import Button, ChatMessage, FileRef, MessageId, RoomId, UserId
from bot.ports import Heard, Json
from bot.whatsapp.raw import short_id

_QUOTE = re.compile(r"\s*\[\s?\]\(([^)\s]{1,2000})\)[ \t]*(?:\r?\n)*")
_UPLOAD = re.compile(r"/file-upload/([^/?#]+)(?:/([^/?#]*))?")
_LINKS = ("title_link", "image_url", "video_url", "audio_url")
_ELSEWHERE = ("https://", "http://")
_FAR = 253402300800.0  # year 10000: no moment of a message, and more than datetime can hold


def chat_message(raw: Mapping[str, Any]) -> ChatMessage | None:
    """What a person wrote; None when the document lacks an id, a room or an author."""
    user = _dict(raw.get("u"))
    id, room, author = clean(raw.get("_id")), clean(raw.get("rid")), clean(user.get("_id"))
    if not (id and room and author):
        return None
    text, quotes = _without_quotes(clean(raw.get("msg")))
    return ChatMessage(
        id=MessageId(id),
        room=RoomId(room),
        user=UserId(author),
        username=clean(user.get("username")),
        name=clean(user.get("name")),
        text="\n".join(part for part in (text, *_words_beside(raw, text)) if part),
        at_ms=int((moment(raw.get("ts")) or changed_at(raw)) * 1000),
        quotes=quotes or tuple(_quoted_in(raw)),
        files=tuple(_files(raw)),
        thread=MessageId(clean(raw.get("tmid"))) if clean(raw.get("tmid")) else None,
        buttons=tuple(_buttons(raw)),
        automatic=bool(raw.get("bot")),
    )


def is_for_customer(raw: Mapping[str, Any], bot: UserId) -> bool:
    """Whether a person wrote it for the customer to read. An allow-list: whatever is marked in any way stays inside.

    Not a system message (`t`), not the customer's own (`token`), not hidden, not edited, not the bot's, and with
    something in it. Whether the room is a customer's is for the caller to say.
    """
    message = _by_a_person(raw, bot)
    return message is not None and _has_content(message)


def is_only_quote(raw: Mapping[str, Any], bot: UserId) -> bool:
    """A person's message that would be for the customer, were there anything below what it quotes. Forwarding a message
    of another room makes such a one."""
    message = _by_a_person(raw, bot)
    return message is not None and bool(message.quotes) and not _has_content(message)


def _by_a_person(raw: Mapping[str, Any], bot: UserId) -> ChatMessage | None:
    if any(raw.get(mark) for mark in ("t", "token", "_hidden", "editedAt", "editedBy")):
        return None
    message = chat_message(raw)
    return message if message is not None and message.user != bot else None


def _has_content(message: ChatMessage) -> bool:
    return bool(message.text.strip() or message.files or message.buttons)


def was_edited(raw: Mapping[str, Any]) -> bool:
    """A person changed the text of a message. A deleted one (`t: "rm"`) also carries `editedAt` and is not meant."""
    return bool(raw.get("editedAt") or raw.get("editedBy")) and not raw.get("t")


def edited_at(raw: Mapping[str, Any]) -> float:
    """Unix seconds by the server's clock."""
    return moment(raw.get("editedAt")) or changed_at(raw)


def changed_at(raw: Mapping[str, Any]) -> float:
    """Unix seconds of the last change by the server's clock, 0 when it does not say."""
    return moment(raw.get("_updatedAt")) or moment(raw.get("ts")) or 0.0


def heard(args: Sequence[Any]) -> Heard | None:
    """An event of `stream-room-messages`: `[message, {roomParticipant, roomType}]`, on servers before 4.0 `[[…]]`."""
    if args and isinstance(args[0], list):
        args = args[0]
    if not args or not isinstance(args[0], dict):
        return None
    message, extra = args[0], _dict(args[1]) if len(args) > 1 else {}
    if not (clean(message.get("_id")) and clean(message.get("rid"))):
        return None
    return Heard(named(message), clean(extra.get("roomType")))


def named(raw: Json) -> Json:
    """The message under a name that fits everywhere. Whoever writes may choose the `_id`, however long (8.3
    `chat.sendMessage`), but no index of PostgreSQL and no opaque name at WhatsApp takes any length."""
    id = clean(raw.get("_id"))
    return raw if (short := short_id(id)) == id else {**raw, "_id": short}


def moment(value: object) -> float | None:
    """Unix seconds of `{"$date": ms}` (stream), ISO 8601 (REST) or plain milliseconds; None when it is no moment.

    `{"$date": null}` occurs: it is how an Invalid Date looks on the wire.
    """
    if isinstance(value, Mapping):
        value = value.get("$date")
    seconds: float | None = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            seconds = float(value) / 1000
        except OverflowError:
            return None
    elif isinstance(value, str):
        try:
            read = datetime.fromisoformat(value.strip())
            seconds = (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return None
    return seconds if seconds is not None and math.isfinite(seconds) and 0 <= seconds < _FAR else None


def clean(value: object) -> str:
    """The text, without lone surrogates, which no encoder or database takes; empty when it is no text."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else ""


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def dicts(value: object) -> Iterator[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


# --- quotes ---------------------------------------------------------------------------------------------------------


def _without_quotes(text: str) -> tuple[str, tuple[MessageId, ...]]:
    """Clients quote by putting `[ ](https://…?msg=ID)` in front, once per quoted message."""
    quotes, at = [], 0
    while (found := _QUOTE.match(text, at)) and (id := _message_in(found[1])):
        quotes.append(id)
        at = found.end()
    return text[at:], tuple(dict.fromkeys(quotes))


def _message_in(link: str) -> MessageId | None:
    try:
        ids = parse_qs(urlsplit(link).query).get("msg", [])
    except ValueError:
        return None
    return MessageId(clean(ids[0])) if ids else None


def _quoted_in(raw: Mapping[str, Any]) -> Iterator[MessageId]:
    for item in dicts(raw.get("attachments")):
        if id := _message_in(clean(item.get("message_link"))):
            yield id


def quoted_here(raw: Mapping[str, Any], id: MessageId) -> str:
    """What the quoted message `id` says, when the quote itself says that it stands in the same room; else empty.

    A quote of another room must never leave through this one.
    """
    for item in dicts(raw.get("attachments")):
        link = clean(item.get("message_link"))
        if link and _message_in(link) == id and clean(raw.get("rid")) in urlsplit(link).path.split("/"):
            return _without_quotes(clean(item.get("text")))[0].strip()
    return ""


# --- quick replies --------------------------------------------------------------------------------------------------


def _buttons(raw: Mapping[str, Any]) -> Iterator[Button]:
    """`attachments[].actions` (8.3 ActionAttachmentButton.tsx: a press posts `msg`, or opens `url`) and the buttons and
    menus of `blocks` (UiKit; a press on one of a bot's quick replies posts its text)."""
    for item in dicts(raw.get("attachments")):
        for action in dicts(item.get("actions")) if not item.get("message_link") else ():
            label = clean(action.get("text")).strip() or clean(action.get("msg")).strip()
            if label and action.get("type", "button") == "button":
                yield Button(label, clean(action.get("msg")).strip() or label, clean(action.get("url")).strip())
    for block in dicts(raw.get("blocks")):
        inside = block.get("elements") if block.get("type") == "actions" else [block.get("accessory")]
        for element in dicts(inside):
            if element.get("type") == "button" and (label := _label(element)):
                yield Button(label, label, clean(element.get("url")).strip())
            elif str(element.get("type")).endswith("_select"):
                options = map(_label, dicts(element.get("options")))
                yield from (Button(label, label, "") for label in options if label)


def _label(element: Mapping[str, Any]) -> str:
    inner = element.get("text")
    return clean(inner.get("text") if isinstance(inner, dict) else inner).strip()


# --- files and other things beside the text -------------------------------------------------------------------------


def _words_beside(raw: Mapping[str, Any], text: str) -> Iterator[str]:
    """Captions of files, texts and links of attachments, and, when there is nothing else, of blocks. Never those of
    quotes. What a bot shows from elsewhere (`image_url` of another host) is no upload, so its link is all there is."""
    said = {text}
    for item in dicts(raw.get("attachments")):
        if item.get("message_link"):
            continue
        names = ("description",) if _upload(item) else ("pretext", "title", "text", *_LINKS)
        for name in names:
            words = clean(item.get(name))
            if words.strip() and words not in said and (name not in _LINKS or words.startswith(_ELSEWHERE)):
                said.add(words)
                yield words
    if not "".join(said).strip():
        for block in dicts(raw.get("blocks")):
            for holder in (block, *dicts(block.get("fields")), *dicts(block.get("elements"))):
                if (words := _label(holder)) and holder.get("type") not in ("button", "actions"):
                    yield words
                if holder.get("type") == "image":
                    shown = (clean(holder.get(name)).strip() for name in ("altText", "imageUrl"))
                    yield from (one for one in shown if one)


def _files(raw: Mapping[str, Any]) -> Iterator[FileRef]:
    """Originals, each once: `files`, else `file`, and what only an attachment names. Thumbnails are no files."""
    listed = list(dicts(raw.get("files"))) or list(dicts([raw.get("file")]))
    uploads = [found for item in dicts(raw.get("attachments")) if (found := _upload(item))]
    originals = {upload.id for upload in uploads}
    alone = len(listed) == 1
    seen: set[str] = set()
    for item in listed:
        ref = FileRef(
            id=clean(item.get("_id")),
            name=clean(item.get("name")),
            mime_type=clean(item.get("type")),
            size=_size(item.get("size")),
        )
        thumbnail = ref.name.startswith("thumb-") and ref.id not in originals and not alone
        if ref.id and ref.id not in seen and not thumbnail:
            seen.add(ref.id)
            yield ref
    for upload in uploads:
        if upload.id not in seen:
            seen.add(upload.id)
            yield upload


def _upload(item: Mapping[str, Any]) -> FileRef | None:
    """The uploaded file that an attachment shows; `title_link` is the original where `image_url` is its thumbnail."""
    if item.get("message_link"):
        return None
    for name, kind in (("title_link", ""), ("image_url", "image"), ("audio_url", "audio"), ("video_url", "video")):
        if found := _UPLOAD.search(clean(item.get(name))):
            kinds = [kind] if kind else ["image", "audio", "video"]
            types = [clean(item.get(f"{kind}_type")) for kind in kinds]
            sizes = [_size(item.get(f"{kind}_size")) for kind in kinds]
            return FileRef(
                id=unquote(found[1]),
                name=clean(item.get("title")) or unquote(found[2] or ""),
                mime_type=next(filter(None, types), ""),
                size=next(filter(None, sizes), 0) or _size(item.get("size")),
            )
    return None


def _size(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
