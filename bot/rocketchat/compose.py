"""Writes for Rocket.Chat: ids of messages, and what a customer sent as markdown that an agent can read.

Whatever comes from outside goes through `bot.whatsapp.markup`, so that no customer can mention people, hide a link or
draw a heading in an agent's room. The words around it are `room.*` in the catalogues.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from bot.model import (
    Choice,
    ContactCard,
    Contacts,
    Edit,
    FlowAnswer,
    Labelled,
    Location,
    Media,
    Message,
    MessageId,
    Notice,
    NumberChange,
    NumberId,
    Order,
    Part,
    Post,
    Reaction,
    Referral,
    Revoke,
    Sender,
    Text,
    Unknown,
    Unsupported,
    Wamid,
)
from bot.translations import Translate
from bot.whatsapp.choices import answer
from bot.whatsapp.markup import inert, inert_line
from bot.whatsapp.raw import is_user_id

LATE = 3600.0
"""Seconds after which an agent is told when a message was written, or when it came to us and had to wait here.
360Dialog delivers again for up to seven days …"""
REPLAY = 8 * 86400.0
"""… so what is older than this is no delivery but somebody's replay, and its age says nothing."""
_NOTICE_ID = re.compile(r"bot[0-9a-f]{32}")
_LINE = 300
_LINK = 1000
_NOTICES = {"request_welcome", "identity_changed", "call_permission", "product", "system"}


def message_id(number: NumberId, wamid: Wamid, part: int = 0) -> MessageId:
    """The one `_id` under which this part of this WhatsApp message is posted, however often it is tried.

    `_id` is unique across all rooms of a workspace, and an id that is taken anywhere counts as posted.
    """
    return _id("wa", number, wamid, part)


def notice_id(key: str) -> MessageId:
    """The same for what the bot says itself; `key` names the occasion."""
    return _id("bot", key)


def is_notice_id(id: str) -> bool:
    """Whether the bot said it itself: such words are for agents only."""
    return _NOTICE_ID.fullmatch(id) is not None


def _id(prefix: str, *names: str | int) -> MessageId:
    return MessageId(prefix + hashlib.sha256(json.dumps([prefix, *names]).encode()).hexdigest()[:32])


def post(post: Post) -> dict[str, Any]:
    """The part of a `chat.sendMessage` message that shows this post (Rocket.Chat 8.3, attachment `actions`)."""
    message: dict[str, Any] = {"msg": post.text}
    if post.buttons:
        actions = [
            {"type": "button", "text": button.label, "url": button.url}
            if button.url
            else {
                "type": "button",
                "text": button.label,
                "msg": button.text,
                "msg_in_chat_window": True,
                "msg_processing_type": "sendMessage",
            }
            for button in post.buttons
        ]
        message["attachments"] = [{"actions": actions}]
    return message


def visitor_name(sender: Sender, t: Translate) -> str:
    """What agents see as the customer's name: their profile name in one line, else the phone, else the user id."""
    return (
        inert_line(sender.name, 80).strip()
        or sender.phone
        or inert_line(sender.user_id or sender.contact, 80)
        or t("room.nobody")
    )


def as_lines(message: Message, t: Translate, *, received_at: float, shown_at: float = 0.0) -> str:
    """The whole message as markdown, never empty. Text alone is the customer's text and nothing else.

    Moments are unix seconds; `shown_at` 0: at once. Rocket.Chat stamps what a customer wrote with the moment at which
    it is posted."""
    lines = _circumstances(message, t, received_at, shown_at)
    for part in message.parts:
        lines += part_lines(part, t)
    return "\n".join(lines) if any(line.strip() for line in lines) else t("room.blank")


def beside_file(message: Message, t: Translate, received_at: float, shown_at: float = 0.0) -> str:
    """The words that go with a file that is shown itself; often none."""
    captions = [inert(part.caption) for part in message.parts if isinstance(part, Media)]
    return "\n".join(line for line in (*_circumstances(message, t, received_at, shown_at), *captions) if line.strip())


def _circumstances(message: Message, t: Translate, received_at: float, shown_at: float) -> list[str]:
    lines = []
    if LATE < received_at - message.at < REPLAY:
        lines.append(t("room.late", when=_minute(message.at)))
    elif shown_at - received_at > LATE:
        lines.append(t("room.kept", when=_minute(received_at)))
    if message.forwarded:
        lines.append(t("room.forwarded_often" if message.forwarded_often else "room.forwarded"))
    if message.referral:
        lines += _referral(message.referral, t)
    return lines


def _minute(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M")


def part_lines(part: Part, t: Translate) -> list[str]:
    """At least one line that is not blank."""
    lines = [line for line in _lines(part, t) if line.strip()]
    return lines or [t("room.blank")]


def _lines(part: Part, t: Translate) -> Iterator[str]:  # noqa: PLR0912 - a table: one case for each kind of part
    match part:
        case Text(text):
            yield inert(text)
        case Media():
            yield from _media(part, t)
        case Location():
            yield from _location(part, t)
        case Contacts(cards):
            for card in cards:
                yield from _contact(card, t)
        case Choice():
            yield inert(answer(part.id)) or inert(part.title) or _line(part.id)
        case FlowAnswer(fields, body):
            yield t("room.form")
            yield from (t("room.field", name=_line(name), value=inert(value)) for name, value in fields)
            yield inert(body)
        case Reaction(_, emoji):
            yield t("room.reaction", emoji=_line(emoji)) if emoji else t("room.reaction_removed")
        case Order():
            yield from _order(part, t)
        case Edit(_, parts):
            yield t("room.corrected")
            for inner in parts:
                yield from part_lines(inner, t)
        case Revoke():
            yield t("room.revoked")
        case NumberChange():
            yield _number_change(part, t)
        case Notice(what, detail):
            key = f"room.notice.{what}" if what in _NOTICES else "room.notice"
            yield t(key, what=_line(what) or "?", detail=_line(detail)).rstrip()
        case Unsupported(what, detail):
            yield t("room.unsupported_kind", what=_line(what)) if what else t("room.unsupported")
            yield _line(detail)
        case Unknown(kind, raw):
            yield t("room.unknown", kind=_line(kind) or "?")
            content = raw.get(kind) or ""
            yield _line(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))


def _media(media: Media, t: Translate) -> Iterator[str]:
    title = t(f"room.media.{media.kind}")
    name = _line(media.file_name)
    yield t("room.media_named", title=title, name=name) if name else title
    if media.problem:
        yield t("room.media_problem", problem=_line(media.problem))
    yield inert(media.caption)


def _contact(card: ContactCard, t: Translate) -> Iterator[str]:
    """A card without a name is called by what it holds: the company, else the first phone or address."""
    titles = (card.name, card.organisation, *(one.value for one in (*card.phones, *card.emails, *card.urls)))
    title = next(filter(None, map(_line, titles)), "")
    yield t("room.contact", name=title) if title else t("room.contact_nameless")
    if card.organisation and _line(card.organisation) != title:
        yield _line(card.organisation)
    for several in (card.phones, card.emails):
        yield " · ".join(shown for one in several if (shown := _labelled(one)) != title)
    yield from map(_labelled, card.addresses)
    yield from (shown for url in card.urls if (shown := _labelled(url)) != title)
    if card.birthday:
        yield t("room.contact_birthday", date=_line(card.birthday))
    yield inert(card.vcard)


def _labelled(one: Labelled) -> str:
    """WhatsApp writes its own labels in capitals."""
    shown = _link(one.value) or _line(one.value)
    return f"{shown} ({_line(one.label.lower())})" if one.label.strip() else shown


def _location(place: Location, t: Translate) -> Iterator[str]:
    name = _line(place.name)
    yield t("room.place", name=name) if name else t("room.location")
    yield _line(place.address)
    if place.latitude is not None and place.longitude is not None:
        at = f"mlat={place.latitude:.6f}&mlon={place.longitude:.6f}"
        yield f"https://www.openstreetmap.org/?{at}#map=17/{place.latitude:.6f}/{place.longitude:.6f}"
    yield _link(place.url)


def _order(order: Order, t: Translate) -> Iterator[str]:
    yield t("room.order")
    for item in order.items:
        yield t(
            "room.order_item",
            quantity=_line(item.quantity) or "?",
            product=_line(item.product) or "?",
            price=" ".join(filter(None, (_line(item.price), _line(item.currency)))) or "?",
        )
    yield inert(order.text)


def _number_change(change: NumberChange, t: Translate) -> str:
    old, new = _line(change.old), _line(change.new)
    if is_user_id(change.new):  # WhatsApp makes a new one for a new phone number (Meta: business-scoped user ids)
        return t("room.number_unknown")
    if old and new:
        return t("room.number_changed", old=old, new=new)
    if new:
        return t("room.number_now", new=new)
    if old:
        return t("room.number_left", old=old)
    return _line(change.body) or t("room.number_unknown")


def _referral(referral: Referral, t: Translate) -> list[str]:
    told = [_line(referral.headline), inert(referral.body), _link(referral.url)]
    return [t("room.referral"), *(line for line in told if line.strip())]


def _line(text: str) -> str:
    return inert_line(text, _LINE).strip()


def _link(url: str) -> str:
    """Only what a browser opens as a page stays a link."""
    return inert_line(url, _LINK).strip() if url.lower().startswith(("https://", "http://")) else ""
