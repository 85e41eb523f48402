"""The whole: numbers, people, the clock, and every switch that a test or the demo turns."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, Self, TypeVar

from bot.sandbox.dialog360 import envelope
from bot.sandbox.dialog360.changes import Changes
from bot.sandbox.dialog360.customer import Customer
from bot.sandbox.dialog360.limits import Limits
from bot.sandbox.dialog360.media import MediaStore
from bot.sandbox.dialog360.outbox import Outbox
from bot.sandbox.dialog360.phones import BSUID, country_of, digits_of, wa_id_of
from bot.sandbox.dialog360.refusals import Json
from bot.sandbox.dialog360.server import Server
from bot.sandbox.dialog360.state import Call, Delivery, Message, Received, SandboxNumber
from bot.sandbox.dialog360.templates import Templates
from bot.sandbox.dialog360.webhooks import Sender
from bot.sandbox.levers import Levers

T = TypeVar("T")


class Dialog360Sandbox:
    """A small 360Dialog with WhatsApp behind it, on 127.0.0.1.

    `allow_local_webhooks` is its one concession: plain http to loopback may be registered, because no certificate
    exists there. `resolve` maps a public origin to where it really is, as DNS and a TLS proxy would:
    `{"https://bot.example": "http://127.0.0.1:8080"}`.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        deliver_timeout: float = 5.0,
        allow_local_webhooks: bool = False,
        resolve: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.levers = Levers()
        self.calls: list[Call] = []
        self.deliveries: list[Delivery] = []
        self.numbers: dict[str, SandboxNumber] = {}
        """By API key."""
        self.messages: dict[str, Message] = {}
        """By wamid, both directions."""
        self.media = MediaStore()
        self.limits = Limits()
        self.clock_offset = 0.0
        self.auto_status = True
        self.status_story: tuple[str, ...] = ("sent", "delivered", "read")
        """What is reported of an accepted message, in this order; leave out, repeat or swap at will."""
        self.status_batch = False
        """All of the story in one delivery."""
        self.status_early = False
        """The story is told before POST /messages is answered."""
        self.status_delay = 0.0
        """Seconds between two statuses."""
        self.window_errors: Literal["async", "sync", "off"] = "async"
        self.unset_webhook_status = 404
        """How GET /v1/configs/webhook answers while none is set; 200 gives an empty url."""
        self.cut_downloads_after: int | None = None
        """Breaks the connection of a file download after so many bytes."""
        self.allow_local_webhooks = allow_local_webhooks
        self._customers: dict[str, Customer] = {}
        self._templates: dict[str, Templates] = {}
        self._ids = itertools.count(1)
        self._changes = Changes()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sender = Sender(deliver_timeout, resolve, allow_local_webhooks, self.announce, self.spawn)
        self.outbox = Outbox(self)
        self._port = port
        self._server = Server(self)
        self.url = ""

    # --- life ---------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self.url = await self._server.start(self._port)
        self._port = self._server.port
        await self._sender.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sender.stop()
        await self._server.stop()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not self._tasks:
            self.announce("idle", None)

    # --- hearing of changes --------------------------------------------------------------------------------------

    def subscribe(self, callback: Callable[[str, object], None]) -> Callable[[], None]:
        """`callback(kind, document)` with: call · wrote, status, read, typing (Message) · received (Received) ·
        delivery (Delivery) · webhook (SandboxNumber). Returns how to unsubscribe."""
        return self._changes.subscribe(callback)

    def announce(self, kind: str, document: object) -> None:
        self._changes.announce(kind, document)

    async def until(self, predicate: Callable[[], T], timeout: float = 10) -> T:
        """Waits until `predicate()` is truthy and returns its value. It is asked again after each change here."""
        return await self._changes.until(predicate, timeout, self._state)

    async def settled(self, timeout: float = 10) -> None:
        """Waits until nothing is on its way: no statuses to come, no redelivery."""
        await self.until(lambda: not self._tasks, timeout)

    def _state(self) -> str:
        calls = ", ".join(f"{call.method} {call.path} {call.status}" for call in self.calls[-5:])
        sent = ", ".join(str(delivery.statuses) for delivery in self.deliveries[-5:])
        shown = {customer.name: len(customer.received) for customer in self._customers.values()}
        return f"calls: {calls or 'none'}; deliveries: {sent or 'none'}; received: {shown}"

    def now(self) -> float:
        return time.time() + self.clock_offset

    # --- numbers and people --------------------------------------------------------------------------------------

    def add_number(
        self,
        phone: str,
        name: str = "Demo Shop",
        phone_number_id: str | None = None,
        health: str = "AVAILABLE",
        *,
        waba_id: str = "419561257915477",
        api_key: str | None = None,
    ) -> SandboxNumber:
        digits = digits_of(phone)
        if digits is None:
            raise ValueError(f"not a phone number: {phone!r}")
        number = SandboxNumber(
            phone=phone,
            digits=digits,
            name=name,
            phone_number_id=phone_number_id or str(106_540_352_242_900 + next(self._ids)),
            waba_id=waba_id,
            api_key=api_key or _new_key(),
            health=health,
        )
        self.numbers[number.api_key] = number
        return number

    def rotate_key(self, number: SandboxNumber) -> str:
        """A new key: the old one is dead at once, and the webhook is gone."""
        del self.numbers[number.api_key]
        number.api_key = _new_key()
        number.webhook = None
        self.numbers[number.api_key] = number
        return number.api_key

    def customer(
        self,
        phone: str | None = None,
        name: str = "Maria",
        user_id: str | None = None,
        on_whatsapp: bool = True,
        *,
        username: str = "",
        wa_id: str | None = None,
    ) -> Customer:
        """A person. Without `phone` the number is hidden: they are known by `user_id` alone."""
        digits = digits_of(phone) if phone is not None else ""
        if digits is None or (not digits and not user_id and not username):
            raise ValueError(f"not a phone number, and no user id or username: {phone!r}")
        user_id = user_id or f"{country_of(digits)}.{1_470_891_188_000_000 + next(self._ids)}"
        if not BSUID.fullmatch(user_id):
            raise ValueError(f"not a business-scoped user id: {user_id!r}")
        known = wa_id or (wa_id_of(digits) if digits else "")
        customer = Customer(
            self,
            phone=phone or "",
            wa_id=known,
            user_id=user_id,
            name=name,
            username=username,
            on_whatsapp=on_whatsapp,
        )
        self._customers[user_id] = customer
        if known:
            self._customers[known] = customer
        return customer

    def find_customer(self, digits: str, user_id: str) -> Customer | None:
        return self._customers.get(wa_id_of(digits)) if digits else self._customers.get(user_id)

    def templates(self, number: SandboxNumber) -> Templates:
        """The templates of the number's business account."""
        if number.waba_id not in self._templates:
            self._templates[number.waba_id] = Templates(number.waba_id)
        return self._templates[number.waba_id]

    def add_template(self, number: SandboxNumber, definition: Mapping[str, Any]) -> Json:
        return self.templates(number).add(definition)

    def quick_replies(self, received: Received) -> tuple[tuple[str, str], ...]:
        return self.outbox.quick_replies.get(received.wamid, ())

    # --- from the phone to the business --------------------------------------------------------------------------

    def wrote(self, message: Message) -> Message:
        """Takes note of a customer's message: its wamid is known, the 24 hours begin."""
        assert message.customer is not None
        seen, key = message.customer.seen_at, message.number.phone_number_id
        seen[key] = max(message.at, seen.get(key, 0.0))
        self.messages[message.wamid] = message
        self.limits.inbound(message.number.phone_number_id, self.now())
        self.announce("wrote", message)
        return message

    async def carry(self, number: SandboxNumber, messages: Iterable[Message]) -> Delivery:
        """Delivers messages together in one webhook; what is not answered 200 comes again."""
        return await self.post(number, self.webhook_body(number, messages))

    def webhook_body(self, number: SandboxNumber, messages: Iterable[Message]) -> Json:
        """The body that would deliver these messages (see `Customer.compose`), for `deliver`."""
        items = [(message.customer, message.body) for message in messages if message.customer is not None]
        return envelope.messages(number, items)

    async def deliver(
        self,
        number: SandboxNumber,
        body: Json | bytes,
        times: int = 1,
        concurrently: bool = False,
        *,
        redeliver: bool = False,
    ) -> list[int]:
        """Posts a raw webhook body, `times` over, with the registered headers. Returns the HTTP statuses of these
        attempts (0: no answer within the limit; empty: no webhook is registered)."""
        if concurrently:
            made = await asyncio.gather(*(self.post(number, body, redeliver=redeliver) for _ in range(times)))
        else:
            made = [await self.post(number, body, redeliver=redeliver) for _ in range(times)]
        return [delivery.statuses[0] for delivery in made if delivery.statuses]

    async def post(self, number: SandboxNumber, body: Json | bytes, *, redeliver: bool = True) -> Delivery:
        delivery = Delivery(number, body, [], self.now())
        self.deliveries.append(delivery)
        await self._sender.send(delivery, redeliver=redeliver)
        return delivery

    async def status(
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
        """Reports a status, of a message of ours or (with `number`) of one that nobody here knows."""
        return await self.outbox.report(wamid, state, code=code, title=title, details=details, at=at, number=number)

    @property
    def retry_scale(self) -> float:
        """What the pauses between redeliveries (10 s, doubling) are multiplied by."""
        return self._sender.retry_scale

    @retry_scale.setter
    def retry_scale(self, scale: float) -> None:
        self._sender.retry_scale = scale

    @property
    def customers(self) -> Sequence[Customer]:
        return list(dict.fromkeys(self._customers.values()))


def _new_key() -> str:
    return secrets.token_hex(14) + "_AK"
