"""What a customer's message is made of: one reader per kind (Meta: whatsapp/webhooks/reference/messages/…).

A reader gets the object under the kind's own key and gives a part, or None when there is nothing in it to show.
Words that a `Notice` may carry: request_welcome, identity_changed, call_permission (detail accept or reject), product
(detail: what the customer asks about), system.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
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
    MediaKind,
    Notice,
    NumberChange,
    Order,
    OrderItem,
    Part,
    Reaction,
    Revoke,
    Text,
    Unknown,
    Unsupported,
    Wamid,
    WireError,
)
from bot.whatsapp.raw import items, line, number, obj, phone_digits, text, wire_errors, words

_MOST = 1000
"""List elements that are read; Meta sends at most 257 contacts and smaller carts."""
_LONGEST = 4096


def parts(
    item: Mapping[str, Any], beside: tuple[WireError, ...] = (), *, inside_edit: bool = False
) -> tuple[Part, ...]:
    """At least one part. `beside` are the errors that stand next to the message in the webhook, not in it."""
    errors = wire_errors(item.get("errors"))
    kind = text(item.get("type")).strip().lower()
    if kind not in _WORDS:
        kind = next((known for known in _KINDS if known in item), kind)
    part = None if kind == "edit" and inside_edit else _read(kind, item, errors)
    if part is None:
        detail = words(errors or beside)
        return (Unsupported(line(kind), detail) if detail else Unknown(line(kind), item),)
    told: list[Part] = [part]
    product = line(obj(obj(item.get("context")).get("referred_product")).get("product_retailer_id"))
    if product:
        told.append(Notice("product", product))
    if errors and not isinstance(part, Media | Unsupported):
        told.append(Unsupported("", words(errors)))
    return tuple(told)


def _read(kind: str, item: Mapping[str, Any], errors: tuple[WireError, ...]) -> Part | None:
    if kind in _MEDIA:
        return _media(kind, item.get(kind), errors)
    if kind in ("unsupported", "unknown"):  # the older spelling is "unknown"
        return Unsupported(line(obj(item.get("unsupported")).get("type")), words(errors))
    if kind == "ephemeral":  # a disappearing message of on-premise times: announced without its content
        return Unsupported(kind, words(errors))
    if kind == "request_welcome":
        return Notice("request_welcome")
    if kind == "system":
        return _system(item)
    reader = _READERS.get(kind)
    return reader(item.get(kind)) if reader else None


def _text(value: object) -> Part | None:
    body = text(value) or text(obj(value).get("body"))
    return Text("" if _invisible(body) else body) if body or isinstance(value, dict) else None


def _invisible(words: str) -> bool:
    """Nothing but spaces and characters without a shape, such as U+200B and the marks of direction."""
    return all(char.isspace() or unicodedata.category(char) in ("Cc", "Cf") for char in words)


# --- media ----------------------------------------------------------------------------------------------------------

_MEDIA: Mapping[str, MediaKind] = {
    "image": "image",
    "video": "video",
    "audio": "audio",
    "voice": "voice",
    "document": "document",
    "sticker": "sticker",
}


def _media(kind: str, value: object, errors: tuple[WireError, ...]) -> Part | None:
    """A file that Meta could not fetch comes with `errors[]` (131052): shown with the reason, not dropped."""
    media = obj(value)
    if not media:
        return None
    problem = words(errors) or (f"code {errors[0].code}" if errors else "")
    return Media(
        kind="voice" if kind == "audio" and media.get("voice") is True else _MEDIA[kind],
        media_id=text(media.get("id")),
        mime_type=line(media.get("mime_type")).split(";")[0].strip().lower(),
        caption=text(media.get("caption")),
        file_name=_file_name(text(media.get("filename"))),
        sha256=line(media.get("sha256")),
        problem=problem,
    )


def _file_name(name: str) -> str:
    """The last path segment without characters that steer terminals and text direction, extension kept."""
    last = re.split(r"[/\\]", name)[-1]
    plain = "".join(char for char in last if unicodedata.category(char) not in ("Cc", "Cf", "Cs")).strip()
    if len(plain) <= 200:
        return plain if plain.strip(".") else ""
    stem, dot, extension = plain.rpartition(".")
    return f"{stem[:180]}.{extension}" if dot and len(extension) <= 16 else plain[:200]


# --- things people share --------------------------------------------------------------------------------------------


def _location(value: object) -> Part | None:
    place = obj(value)
    name, address, url = line(place.get("name")), line(place.get("address"), 1000), line(place.get("url"), 2000)
    latitude, longitude = number(place.get("latitude")), number(place.get("longitude"))
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return Location(None, None, name, address, url) if name or address or url else None
    return Location(latitude, longitude, name, address, url)


def _contacts(value: object) -> Part | None:
    cards = tuple(_card(card) for card in items(value)[:_MOST] if isinstance(card, dict))
    return Contacts(cards) if cards else None


def _card(card: Mapping[str, Any]) -> ContactCard:
    """`name` may be missing after a tap on "share contact info" (Meta: whatsapp/business-scoped-user-ids)."""
    name, organisation = obj(card.get("name")), obj(card.get("org"))
    read = ContactCard(
        name=line(name.get("formatted_name")) or _joined(" ", name, _NAME),
        phones=_labelled(card.get("phones"), _phone),
        emails=_labelled(card.get("emails"), lambda email: line(email.get("email"))),
        organisation=_joined(", ", organisation, ("title", "department", "company")),
        addresses=_labelled(card.get("addresses"), _address),
        urls=_labelled(card.get("urls"), lambda url: line(url.get("url"), 2000)),
        birthday=line(card.get("birthday"), 40),
    )
    return read if read != ContactCard("") else ContactCard("", vcard=text(card.get("vcard"))[:_LONGEST])


_NAME = ("prefix", "first_name", "middle_name", "last_name", "suffix")


def _joined(between: str, value: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return between.join(filter(None, (line(value.get(key)) for key in keys)))


def _labelled(value: object, read: Callable[[Mapping[str, Any]], str]) -> tuple[Labelled, ...]:
    rows = [obj(row) for row in items(value)[:_MOST]]
    return tuple(Labelled(found, line(row.get("type"), 40)) for row in rows if (found := read(row)))


def _phone(phone: Mapping[str, Any]) -> str:
    wa_id = line(phone.get("wa_id"))
    return line(phone.get("phone")) or (f"+{wa_id}" if phone_digits(wa_id) else wa_id) or line(phone.get("user_id"))


def _address(address: Mapping[str, Any]) -> str:
    town = _joined(" ", address, ("zip", "city"))
    country = line(address.get("country")) or line(address.get("country_code"))
    return ", ".join(filter(None, (line(address.get("street")), town, line(address.get("state")), country)))


def _order(value: object) -> Part | None:
    order = obj(value)
    rows = [row for row in items(order.get("product_items"))[:_MOST] if isinstance(row, dict)]
    if not rows and not order.get("text"):
        return None
    bought = (
        OrderItem(*(line(row.get(key)) for key in ("product_retailer_id", "quantity", "item_price", "currency")))
        for row in rows
    )
    return Order(tuple(bought), text(order.get("text")))


# --- answers to what we sent ----------------------------------------------------------------------------------------


def _reaction(value: object) -> Part | None:
    """Taken back: `emoji` is empty or missing."""
    reaction = obj(value)
    return Reaction(Wamid(text(reaction.get("message_id"))), line(reaction.get("emoji"), 64)) if reaction else None


def _button(value: object) -> Part | None:
    """Quick reply of a template; its payload is the label unless the template says otherwise."""
    button = obj(value)
    title, payload = line(button.get("text")), line(button.get("payload"), 1000)
    return Choice(title or payload, payload) if title or payload else None


def _interactive(value: object) -> Part | None:
    answer = obj(value)
    for kind in ("button_reply", "list_reply"):
        chosen = obj(answer.get(kind))
        title, id = line(chosen.get("title")), line(chosen.get("id"), 1000)
        if title or id:
            return Choice(title or id, id, line(chosen.get("description")))
    if isinstance(answer.get("nfm_reply"), dict):
        return _flow_answer(answer["nfm_reply"])
    permission = obj(answer.get("call_permission_reply"))
    return Notice("call_permission", line(permission.get("response"))) if permission else None


def _flow_answer(reply: Mapping[str, Any]) -> FlowAnswer:
    """`response_json` may be missing, invalid, or valid and no object (Meta: flows and address messages)."""
    raw = text(reply.get("response_json"))
    try:
        answers = json.loads(raw) if raw else reply.get("response_json")
    except (ValueError, RecursionError):
        answers = None
    if not isinstance(answers, dict):
        return FlowAnswer((), (raw or text(reply.get("body")))[:_LONGEST])
    return FlowAnswer(tuple(_fields(answers)[:_MOST]))


def _fields(answers: Mapping[str, Any], depth: int = 0) -> list[tuple[str, str]]:
    """Address forms nest their answers under `values`; `flow_token` is our own reference."""
    found = []
    for name, value in list(answers.items())[:_MOST]:
        if isinstance(value, dict) and depth < 4:
            found += _fields(value, depth + 1)
        elif name != "flow_token":
            found.append((line(name), _readable(value)[:_LONGEST]))
    return found


def _readable(value: object) -> str:
    if isinstance(value, list) and not any(isinstance(part, list | dict) for part in value):
        return ", ".join(map(text, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict | bool) else text(value)


# --- what happened to messages and people ---------------------------------------------------------------------------


def _edit(value: object) -> Part | None:
    """The new words stand under `message`; without it, the edit itself is looked through for them."""
    edit = obj(value)
    inner = edit.get("message")
    corrected = inner if isinstance(inner, dict) else edit
    if corrected is edit and not any(kind in edit for kind in _KINDS):
        return None
    return Edit(_original(edit), parts(corrected, inside_edit=True))


def _revoke(value: object) -> Part | None:
    target = _original(obj(value))
    return Revoke(target) if target else None


def _original(gesture: Mapping[str, Any]) -> Wamid:
    return Wamid(text(gesture.get("original_message_id")) or text(gesture.get("message_id")))


def _system(item: Mapping[str, Any]) -> Part | None:
    """Numbers and user ids that changed: `from` is the old number; older keys are `new_wa_id` and `customer`."""
    system = obj(item.get("system"))
    kind, body = text(system.get("type")), line(system.get("body"), 1000)
    if kind == "user_changed_user_id":
        return NumberChange(line(system.get("previous_user_id")), line(system.get("user_id")), body)
    new = line(system.get("wa_id")) or line(system.get("new_wa_id"))
    if "changed_number" in kind or (new and not kind):
        old = line(item.get("from")) or line(system.get("customer")) or line(system.get("previous_user_id"))
        user_id = line(system.get("user_id"))
        return NumberChange(_with_plus(old), _with_plus(new or user_id), body, user_id if new else "")
    if kind.endswith("identity_changed"):
        return Notice("identity_changed", body)
    return Notice("system", body or line(kind)) if body or kind else None


def _with_plus(name: str) -> str:
    digits = phone_digits(name)
    return f"+{digits}" if digits else name


_READERS: Mapping[str, Callable[[object], Part | None]] = {
    "text": _text,
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    "interactive": _interactive,
    "button": _button,
    "order": _order,
    "edit": _edit,
    "revoke": _revoke,
}
_KINDS = (*_READERS, *_MEDIA, "system", "unsupported")
"""Also the order in which an item is tried whose `type` is missing or unheard of."""
_WORDS = frozenset((*_KINDS, "unknown", "ephemeral", "request_welcome"))
