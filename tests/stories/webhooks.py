"""Webhook bodies in the shape in which 360Dialog delivers them."""

import hashlib
from typing import Any

from bot.sandbox.dialog360 import Customer, SandboxNumber


def text(number: SandboxNumber, customer: Customer, words: str, at: int) -> dict[str, Any]:
    """One text message; the same words of the same person are the same message."""
    wamid = "wamid." + hashlib.sha256(f"{customer.wa_id}/{words}".encode()).hexdigest()
    message = {"from": customer.wa_id, "id": wamid, "timestamp": str(at), "type": "text", "text": {"body": words}}
    return messages(number, customer, message)


def messages(number: SandboxNumber, customer: Customer, *items: dict[str, Any]) -> dict[str, Any]:
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": number.digits, "phone_number_id": number.phone_number_id},
        "contacts": [{"profile": {"name": customer.name}, "wa_id": customer.wa_id}],
        "messages": list(items),
    }
    entry = {"id": number.waba_id, "changes": [{"field": "messages", "value": value}]}
    return {"object": "whatsapp_business_account", "entry": [entry]}
