"""Webhook bodies in the shape that 360Dialog delivers: Meta's envelope, unchanged.

Inbound texts carry `contacts[].user_id` and `messages[].from_user_id`; statuses carry `contacts` without a profile and
`recipient_user_id`. Of a customer whose phone is hidden `wa_id`, `from` and `recipient_id` are absent, not empty
(Meta: business-scoped-user-ids).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.sandbox.dialog360.state import Json, Message, SandboxNumber

if TYPE_CHECKING:
    from bot.sandbox.dialog360.customer import Customer


def envelope(number: SandboxNumber, value: Json, field: str = "messages") -> Json:
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": number.digits, "phone_number_id": number.phone_number_id},
        **value,
    }
    change = {"value": value, "field": field}
    return {"object": "whatsapp_business_account", "entry": [{"id": number.waba_id, "changes": [change]}]}


def contact(customer: Customer, *, profile: bool = True) -> Json:
    made: Json = {}
    if profile:
        made["profile"] = {"name": customer.name}
        if customer.username:
            made["profile"]["username"] = customer.username
    if customer.wa_id:
        made["wa_id"] = customer.wa_id
    made["user_id"] = customer.user_id
    return made


def inbound(customer: Customer, wamid: str, type: str, at: float, parts: Json) -> Json:
    """One item of `messages[]`."""
    made: Json = {"from": customer.wa_id} if customer.wa_id else {}
    return {**made, "from_user_id": customer.user_id, "id": wamid, "timestamp": str(int(at)), "type": type, **parts}


def messages(number: SandboxNumber, items: Sequence[tuple[Customer, Json]]) -> Json:
    """One delivery with one or more messages; a customer is listed once."""
    people = list(dict.fromkeys(customer for customer, _ in items))
    return envelope(
        number,
        {"contacts": [contact(person) for person in people], "messages": [item for _, item in items]},
    )


def status(message: Message, state: str, at: float, errors: Sequence[Json] = ()) -> Json:
    """One item of `statuses[]`. `expiration_timestamp` equals `timestamp`, as measured: it is no window."""
    customer = message.customer
    made: Json = {"id": message.wamid, "status": state, "timestamp": str(int(at))}
    if customer is None:
        made["recipient_id"] = "".join(c for c in message.recipient if c.isdigit())
    else:
        if customer.wa_id:
            made["recipient_id"] = customer.wa_id
        if state != "failed" or not customer.wa_id:
            made["recipient_user_id"] = customer.user_id
    if opaque := message.body.get("biz_opaque_callback_data"):
        made["biz_opaque_callback_data"] = opaque
    if state == "failed":
        made["errors"] = list(errors)
        return made
    origin = "utility" if message.body.get("type") == "template" else "service"
    thread = uuid.uuid5(uuid.NAMESPACE_URL, f"{message.number.digits}/{made.get('recipient_id', '')}").hex
    made["conversation"] = {"id": thread, "origin": {"type": origin}}
    if state == "sent":
        made["conversation"]["expiration_timestamp"] = made["timestamp"]
    made["pricing"] = {
        "billable": False,
        "pricing_model": "PMP",
        "category": origin,
        "type": "free_customer_service",
    }
    return made


def statuses(number: SandboxNumber, items: Sequence[tuple[Message, Json]]) -> Json:
    people = dict.fromkeys(
        message.customer for message, item in items if message.customer and item["status"] != "failed"
    )
    contacts: Json = {"contacts": [contact(person, profile=False) for person in people]} if people else {}
    return envelope(number, {**contacts, "statuses": [item for _, item in items]})
