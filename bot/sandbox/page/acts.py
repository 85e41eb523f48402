"""What people do on the page: each act is done in a simulator, as that person. Texts and ids are theirs to choose."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from bot.sandbox.page.cast import Cast

PHOTO = Path(__file__).parent / "static" / "photo.png"
REACTIONS = {"👍": "thumbsup", "❤️": "heart", "😂": "joy", "😮": "open_mouth", "😢": "cry", "🙏": "pray"}
"""What the page offers, with Rocket.Chat's names."""
PLACE = {"latitude": 52.5219, "longitude": 13.4132, "name": "Alexanderplatz", "address": "10178 Berlin"}
CARD = {
    "name": {"formatted_name": "Jonas Weber", "first_name": "Jonas", "last_name": "Weber"},
    "phones": [{"phone": "+49 30 1234567", "wa_id": "49301234567", "type": "WORK"}],
}
"""As Meta's webhook reference shows both."""
OFFERS = {
    "few": ("Shall we call you back?", ("Yes, today", "Yes, tomorrow", "No, thank you")),
    "many": ("What is it about?", ("An order", "A return", "An invoice", "Opening hours", "Something else")),
}
_DAY = 25 * 3600

Act = Mapping[str, Any]


async def customer_writes(cast: Cast, act: Act) -> None:
    await cast.customer.write(cast.number, str(act["text"]), reply_to=_quoted_on_phone(cast, act))


async def customer_taps(cast: Cast, act: Act) -> None:
    found = [one for one in cast.customer.received if one.wamid == act["message"]]
    if not found:
        raise LookupError("no such message")
    await cast.customer.tap(found[0], str(act["label"]))


async def customer_photo(cast: Cast, _: Act) -> None:
    await cast.customer.send_file(cast.number, PHOTO.read_bytes(), "image/png", filename=PHOTO.name)


async def customer_place(cast: Cast, _: Act) -> None:
    await cast.customer.send(cast.number, type="location", location=PLACE)


async def customer_card(cast: Cast, _: Act) -> None:
    await cast.customer.send(cast.number, type="contacts", contacts=[CARD])


async def customer_reacts(cast: Cast, act: Act) -> None:
    """An empty mark takes the reaction back."""
    mark = str(act["mark"])
    if mark:
        _name_of(mark)
    if str(act["message"]) not in cast.wa.messages:
        raise LookupError("no such message")
    await cast.customer.react(cast.number, str(act["message"]), mark)


async def customer_waits(cast: Cast, _: Act) -> None:
    """As if they had last written more than a day ago: WhatsApp then takes nothing but templates."""
    seen, key = cast.customer.seen_at, cast.number.phone_number_id
    if key in seen:
        seen[key] = min(seen[key], cast.wa.now() - _DAY)
    cast.wa.announce("window", cast.customer)


async def customer_file(cast: Cast, act: Act, name: str, mime: str, data: bytes) -> None:
    await cast.customer.send_file(
        cast.number,
        data,
        mime,
        filename=name,
        caption=str(act.get("text", "")),
        reply_to=_quoted_on_phone(cast, act),
    )


async def admin_writes(cast: Cast, act: Act) -> None:
    await cast.rc.write(cast.admin, cast.setup_room, str(act["text"]))


async def admin_presses(cast: Cast, act: Act) -> None:
    await cast.rc.press(cast.admin, str(act["message"]), str(act["label"]))


async def agent_writes(cast: Cast, act: Act) -> None:
    await cast.rc.write(cast.agent, str(act["room"]), _with_quote(cast, act))


async def agent_presses(cast: Cast, act: Act) -> None:
    await cast.rc.press(cast.agent, str(act["message"]), str(act["label"]))


async def agent_photo(cast: Cast, act: Act) -> None:
    await cast.rc.upload(cast.agent, str(act["room"]), PHOTO.name, "image/png", PHOTO.read_bytes())


async def agent_file(cast: Cast, act: Act, name: str, mime: str, data: bytes) -> None:
    await cast.rc.upload(cast.agent, str(act["room"]), name, mime, data, text=_with_quote(cast, act))


async def _offer(cast: Cast, act: Act, which: str) -> None:
    """What a chatbot puts into a conversation: a question with buttons that answer in the chat."""
    question, labels = OFFERS[which]
    buttons = [{"type": "button", "text": label, "msg": label, "msg_in_chat_window": True} for label in labels]
    await cast.rc.write(cast.agent, str(act["room"]), question, attachments=[{"actions": buttons}])


async def agent_offers_few(cast: Cast, act: Act) -> None:
    await _offer(cast, act, "few")


async def agent_offers_many(cast: Cast, act: Act) -> None:
    await _offer(cast, act, "many")


async def agent_reacts(cast: Cast, act: Act) -> None:
    """Sets the reaction, or takes it back when it is there."""
    name = _name_of(str(act["mark"]))
    if str(act["message"]) not in (message["_id"] for message in cast.rc.messages(str(act["room"]))):
        raise LookupError("no such message")
    await cast.rc.react(cast.agent, str(act["message"]), f":{name}:")


async def agent_takes(cast: Cast, act: Act) -> None:
    await cast.rc.take(cast.agent, str(act["room"]))


async def agent_closes(cast: Cast, act: Act) -> None:
    await cast.rc.close_room(cast.agent, str(act["room"]), "")


ACTS: Mapping[str, Callable[[Cast, Act], Awaitable[None]]] = {
    "customer-writes": customer_writes,
    "customer-taps": customer_taps,
    "customer-photo": customer_photo,
    "customer-place": customer_place,
    "customer-card": customer_card,
    "customer-reacts": customer_reacts,
    "customer-waits": customer_waits,
    "admin-writes": admin_writes,
    "admin-presses": admin_presses,
    "agent-writes": agent_writes,
    "agent-presses": agent_presses,
    "agent-photo": agent_photo,
    "agent-offers-few": agent_offers_few,
    "agent-offers-many": agent_offers_many,
    "agent-reacts": agent_reacts,
    "agent-takes": agent_takes,
    "agent-closes": agent_closes,
}
FILE_ACTS: Mapping[str, Callable[[Cast, Act, str, str, bytes], Awaitable[None]]] = {
    "customer-writes": customer_file,
    "agent-writes": agent_file,
}
"""The same acts with a file."""


def _name_of(mark: str) -> str:
    if mark not in REACTIONS:
        raise LookupError("no such reaction here")
    return REACTIONS[mark]


def _quoted_on_phone(cast: Cast, act: Act) -> str:
    wamid = str(act.get("quote") or "")
    if wamid and wamid not in cast.wa.messages:
        raise LookupError("the quoted message is not there")
    return wamid


def _with_quote(cast: Cast, act: Act) -> str:
    """As the web client quotes: a link to the message in front of the text."""
    text, room, quoted = str(act.get("text", "")), str(act["room"]), str(act.get("quote") or "")
    if not quoted:
        return text
    if not any(message["_id"] == quoted for message in cast.rc.messages(room)):
        raise LookupError("the quoted message is not there")
    return f"[ ]({cast.rc.settings['Site_Url']}/live/{room}?msg={quoted}) {text}"
