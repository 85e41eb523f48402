"""Writes the bodies of POST /messages (Meta: whatsapp/messages/send-messages; 360Dialog passes them through)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.model import Conversation, MediaKind
from bot.whatsapp.media import CAPTIONED
from bot.whatsapp.raw import is_user_id


def address(conversation: Conversation) -> str:
    """Where WhatsApp reaches the customer now: the phone they last wrote from, else their user id."""
    return conversation.phone.lstrip("+") or conversation.user_id or conversation.contact


def text(to: str, body: str, opaque: str, reply_to: str | None = None, preview: bool | None = None) -> dict[str, Any]:
    """A text of 1 to 4096 characters.

    `to` is the contact id exactly as WhatsApp gave it: its name for a number may differ from the number that people
    dial (Brazil, Mexico, Argentina). A user id goes into `recipient` (Meta: whatsapp/business-scoped-user-ids).
    `opaque` comes back in every status of the message. The first link is previewed unless `preview` is False.
    """
    content = {"body": body, "preview_url": preview is not False and _has_link(body)}
    return {**_message(to, "text", content, reply_to), "biz_opaque_callback_data": opaque}


def interactive(to: str, content: Mapping[str, Any], opaque: str, reply_to: str | None = None) -> dict[str, Any]:
    """Buttons or a list, as `bot.whatsapp.choices` makes them."""
    return {**_message(to, "interactive", content, reply_to), "biz_opaque_callback_data": opaque}


def media(
    to: str, kind: MediaKind, id: str, opaque: str, *, caption: str = "", name: str = "", reply_to: str | None = None
) -> dict[str, Any]:
    """An uploaded file. Pictures, films and documents carry a caption of up to 1024 characters; documents a name."""
    content: dict[str, Any] = {"id": id}
    if caption and kind in CAPTIONED:
        content["caption"] = caption
    if kind == "document" and name:
        content["filename"] = name
    if kind == "voice":
        kind, content["voice"] = "audio", True
    return {**_message(to, kind, content, reply_to), "biz_opaque_callback_data": opaque}


def reaction(to: str, target: str, emoji: str) -> dict[str, Any]:
    """One emoji on a message of the customer's; empty takes it back."""
    return _message(to, "reaction", {"message_id": target, "emoji": emoji})


def _message(to: str, kind: str, content: Mapping[str, Any], reply_to: str | None = None) -> dict[str, Any]:
    message: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "recipient" if is_user_id(to) else "to": to,
        "type": kind,
        kind: dict(content),
    }
    if reply_to:
        message["context"] = {"message_id": reply_to}
    return message


def _has_link(body: str) -> bool:
    return "http://" in body or "https://" in body
