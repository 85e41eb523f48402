"""Writes the bodies of POST /messages (Meta: whatsapp/messages/send-messages; 360Dialog passes them through)."""

from __future__ import annotations

from typing import Any

from bot.whatsapp.raw import is_user_id


def text(to: str, body: str, opaque: str, reply_to: str | None = None, preview: bool | None = None) -> dict[str, Any]:
    """A text of 1 to 4096 characters.

    `to` is the contact id exactly as WhatsApp gave it: its name for a number may differ from the number that people
    dial (Brazil, Mexico, Argentina). A user id goes into `recipient` (Meta: whatsapp/business-scoped-user-ids).
    `opaque` comes back in every status of the message. The first link is previewed unless `preview` is False.
    """
    message: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "recipient" if is_user_id(to) else "to": to,
        "type": "text",
        "text": {"body": body, "preview_url": preview is not False and _has_link(body)},
        "biz_opaque_callback_data": opaque,
    }
    if reply_to:
        message["context"] = {"message_id": reply_to}
    return message


def _has_link(body: str) -> bool:
    return "http://" in body or "https://" in body
