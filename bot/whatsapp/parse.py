"""Reads the bodies of journal entries that `bot.whatsapp.envelope` made. Never raises on any JSON.

A message always has at least one part: what cannot be read becomes `Unknown` with the raw item, or `Unsupported` when
WhatsApp itself says that it does not hand this kind over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.model import Message, Referral, Sender, Status, Wamid
from bot.whatsapp.parse_parts import parts
from bot.whatsapp.raw import identity, line, message_id, moment, number, obj, text, wire_errors, words

_FIELDS = {
    "message_template_status_update": "template_status",
    "message_template_quality_update": "template_quality",
    "message_template_components_update": "template_components",
    "template_category_update": "template_category",
    "account_update": "account",
    "account_alerts": "account",
    "account_review_update": "account",
    "account_settings_update": "account",
    "business_capability_update": "account",
    "phone_number_name_update": "account",
    "phone_number_quality_update": "account",
    "security": "account",
    "calls": "call",
    "smb_message_echoes": "echo",
    "message_echoes": "echo",
    "smb_app_state_sync": "address_book",
    "history": "history",
    "user_preferences": "preferences",
}
"""Webhook fields (Meta: whatsapp/webhooks/overview) and our word for what they bring."""
_LISTS = {"errors": "error", "calls": "call", "message_echoes": "echo", "user_preferences": "preferences"}


def message(body: Mapping[str, Any]) -> Message:
    """A `wa.message` body. `at` is the customer's clock, or the arrival when the message names no moment."""
    item, profile = obj(body.get("item")), obj(obj(body.get("contact")).get("profile"))
    contact, phone, user_id = identity(item, obj(body.get("contact")))
    context = obj(item.get("context"))
    reply_to = text(context.get("id"))
    return Message(
        id=Wamid(message_id(item)),
        sender=Sender(contact, phone, user_id, name=text(profile.get("name")) or text(profile.get("username"))),
        at=_at(body),
        parts=parts(item, wire_errors(body.get("errors"))),
        reply_to=Wamid(reply_to) if reply_to else None,
        forwarded=context.get("forwarded") is True or context.get("frequently_forwarded") is True,
        forwarded_often=context.get("frequently_forwarded") is True,
        referral=_referral(item.get("referral")),
        group=text(item.get("group_id")),
    )


def echo(body: Mapping[str, Any]) -> Message:
    """A `wa.other` body of `message_echoes`: what the business wrote on its phone. `sender` is the customer it went to.

    Meta: webhook field smb_message_echoes; `to` may be missing for people who show only a user name.
    """
    item = obj(body.get("item"))
    there = {**item, "from": item.get("to"), "from_user_id": item.get("to_user_id")}
    return message({"item": there, "at": body.get("at")})


def status(body: Mapping[str, Any]) -> Status:
    """A `wa.status` body. The recipient is a phone, or a user id when WhatsApp does not tell the phone."""
    item = obj(body.get("item"))
    return Status(
        wamid=Wamid(message_id(item)),
        state=text(item.get("status")).strip().lower(),
        at=_at(body),
        recipient=text(item.get("recipient_id")) or text(item.get("recipient_user_id")),
        opaque=text(item.get("biz_opaque_callback_data")),
        errors=wire_errors(item.get("errors")),
    )


def other(body: Mapping[str, Any]) -> tuple[str, str]:
    """A `wa.other` body as a machine word and a line for logs.

    Words: template_status, template_quality, template_components, template_category, account, call, echo, group,
    address_book, history, preferences, error, text (a body that was no JSON), unknown.
    """
    if "text" in body:
        return "text", line(body["text"], 200)
    field, name, item = text(body.get("field")), text(body.get("list")), obj(body.get("item"))
    what = _LISTS.get(name) or _FIELDS.get(field) or ("group" if "group" in field else "unknown")
    return what, line(_detail(what, field, item), 200)


def _detail(what: str, field: str, item: Mapping[str, Any]) -> str:
    names: tuple[object, ...]
    if what == "error":
        return words(wire_errors(item)) or f"code {text(item.get('code')) or '?'}"
    if what.startswith("template_"):
        event = item.get("event") or item.get("new_quality_score") or item.get("new_category")
        names = (item.get("message_template_name"), item.get("message_template_language"), event, item.get("reason"))
    elif what == "call":
        names = (item.get("event"), item.get("direction"), item.get("status"))
    elif what == "unknown":
        names = (field, *sorted(item))
    else:
        names = (field, item.get("event"), item.get("type"), item.get("value"))
    return " ".join(filter(None, (line(name, 80) for name in names)))


def _at(body: Mapping[str, Any]) -> float:
    return moment(obj(body.get("item")).get("timestamp")) or number(body.get("at")) or 0.0


def _referral(value: object) -> Referral | None:
    """The advertisement or post (Meta: "referral" of click-to-WhatsApp); any kind of message may carry it."""
    if not isinstance(value, dict) or not value:
        return None
    return Referral(line(value.get("source_url"), 2000), line(value.get("headline")), text(value.get("body"))[:4096])
