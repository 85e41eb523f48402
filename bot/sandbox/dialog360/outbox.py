"""What happens to an outgoing message: refused, accepted, shown on a phone, reported."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot.sandbox.dialog360 import envelope, messages, template_send
from bot.sandbox.dialog360.customer import Customer, shown
from bot.sandbox.dialog360.fields import text
from bot.sandbox.dialog360.media import KINDS, plain
from bot.sandbox.dialog360.messages import Checked
from bot.sandbox.dialog360.refusals import Json, graph, status_error
from bot.sandbox.dialog360.state import Card, Delivery, Message, Received, SandboxNumber, new_wamid

if TYPE_CHECKING:
    from bot.sandbox.dialog360.sandbox import Dialog360Sandbox

WINDOW_CLOSED = (
    131047,
    "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
)
NOT_THERE = (131026, "Message Undeliverable.")


class Outbox:
    def __init__(self, sandbox: Dialog360Sandbox) -> None:
        self._sandbox = sandbox
        self.quick_replies: dict[str, tuple[tuple[str, str], ...]] = {}

    async def post(self, number: SandboxNumber, body: object) -> Json:
        """POST /messages. Raises `Refusal`."""
        if isinstance(body, dict) and "status" in body:
            return self._mark_read(number, body)
        checked = messages.check(body)
        customer = self._sandbox.find_customer(checked.digits, checked.user_id)
        if checked.digits and checked.digits == number.digits:
            raise graph(131021)
        known = customer.user_id if customer else checked.recipient
        self._sandbox.limits.send(number.phone_number_id, known, self._sandbox.now())
        words, media, replies, card = self._content(number, checked)
        failure = self._failure(number, checked, customer, media)
        wamid = new_wamid()
        message = Message(wamid, number, customer, False, self._sandbox.now(), checked.body, checked.recipient)
        self._sandbox.messages[wamid] = message
        if failure is None and customer is not None:
            if replies:
                self.quick_replies[wamid] = replies
            message.received = Received(wamid, number, checked.body, message.at, words, card=card)
            customer.received.append(message.received)
            self._sandbox.announce("received", message.received)
        story = self._story(message, failure)
        if self._sandbox.status_early:
            await story
        else:
            self._sandbox.spawn(story)
        return self._accepted(checked, customer, wamid)

    def _accepted(self, checked: Checked, customer: Customer | None, wamid: str) -> Json:
        who: Json = {"input": checked.recipient}
        if checked.user_id:
            who["user_id"] = checked.user_id
        else:
            who["wa_id"] = customer.wa_id if customer else checked.digits
        message: Json = {"id": wamid}
        if checked.type == "template":
            message["message_status"] = "accepted"
        return {"messaging_product": "whatsapp", "contacts": [who], "messages": [message]}

    def _content(
        self, number: SandboxNumber, checked: Checked
    ) -> tuple[str, tuple[tuple[str, Json], ...], tuple[tuple[str, str], ...], Card | None]:
        """What the phone will show; raises for templates and files that do not fit."""
        template, media = "", checked.media
        replies: tuple[tuple[str, str], ...] = ()
        card = None
        if checked.type == "template":
            filled = template_send.fill(self._sandbox.templates(number), checked.body["template"])
            template, media, replies, card = filled.text, filled.media, filled.buttons, filled.card
        for kind, part in media:
            if "id" not in part:
                continue
            file = self._sandbox.media.find(number, part["id"], self._sandbox.now())
            if file is None:
                raise graph(131009, f"{kind}['id'] is not a valid media id.")
            if plain(file.mime) not in KINDS[kind][1]:
                raise graph(131053, f"Media of type {plain(file.mime)} cannot be sent as {kind}.")
        return shown(checked.body | {"type": checked.type}, template), media, replies, card

    def _failure(
        self,
        number: SandboxNumber,
        checked: Checked,
        customer: Customer | None,
        media: tuple[tuple[str, Json], ...],
    ) -> tuple[int, str] | None:
        """Why an accepted message will fail later; the closed window may also be refused at once."""
        if customer is None or not customer.on_whatsapp:
            return NOT_THERE
        mode = self._sandbox.window_errors
        if checked.type != "template" and mode != "off" and not customer.window_open(number, self._sandbox.now()):
            if mode == "sync":
                raise graph(*WINDOW_CLOSED)
            return WINDOW_CLOSED
        if checked.type == "reaction":
            target = self._sandbox.messages.get(checked.body["reaction"]["message_id"])
            if target is None or target.customer is not customer or self._sandbox.now() - target.at > 30 * 86400:
                return (131009, "The message that was reacted to does not exist or is too old.")
        for _, part in media:
            if "link" in part and not _reachable(part["link"]):
                return (131053, "Media upload error: the link could not be fetched.")
        return None

    async def _story(self, message: Message, failure: tuple[int, str] | None) -> None:
        if failure is not None:
            await self.report(message.wamid, "failed", code=failure[0], details=failure[1])
            return
        if not self._sandbox.auto_status:
            return
        story = self._sandbox.status_story
        if self._sandbox.status_batch:
            items = [(message, envelope.status(message, state, self._sandbox.now())) for state in story]
            await self._sandbox.post(message.number, envelope.statuses(message.number, items))
            return
        for state in story:
            if self._sandbox.status_delay:
                await asyncio.sleep(self._sandbox.status_delay)
            await self.report(message.wamid, state)

    async def report(
        self,
        wamid: str,
        state: str,
        *,
        code: int | None = None,
        title: str = "",
        details: str = "",
        at: float | None = None,
        number: SandboxNumber | None = None,
    ) -> Delivery:
        message = self._sandbox.messages.get(wamid)
        if message is None:
            if number is None:
                raise LookupError(f"no such message: {wamid}")
            message = Message(wamid, number, None, False, self._sandbox.now(), {}, "4915700000000")
        errors = [status_error(code or 131000, details, title)] if state == "failed" else []
        item = envelope.status(message, state, self._sandbox.now() if at is None else at, errors)
        message.state = state
        if message.received is not None:
            message.received.status = state
        self._sandbox.announce("status", message)
        return await self._sandbox.post(message.number, envelope.statuses(message.number, [(message, item)]))

    def _mark_read(self, number: SandboxNumber, body: Json) -> Json:
        messages.require_product(body)
        if body["status"] != "read":
            raise graph(100, "Param status must be one of {READ}.")
        wamid = text(body, "message_id", "", 1, 1000) or ""
        message = self._sandbox.messages.get(wamid)
        if message is None or not message.inbound or message.number is not number:
            raise graph(131009, "message_id is not a message that was received.")
        message.read = True
        self._sandbox.announce("read", message)
        if "typing_indicator" in body:
            if body["typing_indicator"] != {"type": "text"}:
                raise graph(131009, "typing_indicator['type'] must be text.")
            self._sandbox.announce("typing", message)
        return {"success": True}


def _reachable(link: str) -> bool:
    """Whether Meta could fetch it: a public host name or address."""
    host = urlsplit(link).hostname or ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".internal", ".localhost"))
