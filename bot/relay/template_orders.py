"""Templates on their way: one order, one entry for each recipient, and nothing that makes an agent's reply wait.

    few recipients of a person's      template.send × n, at once
    an API call, or many recipients   template.order, which lets its template.send out little by little

Each recipient has a lane of their own, so nobody waits for anybody else's number. The worker has a limited number of
places for each server (`places.PLACES`), though, and takes what has waited longest: thousands of recipients at once
would stand before every agent. So orders wait in `ORDER_LANES` lanes, and each lane has at most `AT_ONCE` recipients
under way. Together that is half of the places, however many orders there are and whatever 360Dialog does; the rest
always stays for conversations. How fast they leave is the pace of their number (`bot.whatsapp.pace`).

Keys are computed from the order's id, so an order that is given or worked on again sends nothing twice.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.errors import Trouble
from bot.model import NumberId
from bot.ports import Clock, Entry, Journal, Json, Outcome, Stored
from bot.relay.targets import Target

FEW = 5
"""So many recipients are sent to at once when a person asks, and so many failures are told one by one."""
ORDER_LANES = 4
AT_ONCE = 8
_A_WHILE = 5.0
_PATIENT_TRIES = 5
"""After so many looks that found no place, the longest waiting recipient is left to wait alone (WhatsApp limits how
often one person may be written to), and the order goes on."""


@dataclass(frozen=True, slots=True)
class Order:
    """`recipients` are phone digits, or contact ids. `template` is the object that goes to WhatsApp, `preview` what the
    customer sees. `room` hears the results; empty: a program asked, and nobody waits."""

    id: str
    number: NumberId
    template: Json
    recipients: tuple[str, ...]
    preview: str = ""
    by: str = ""
    room: str = ""
    target: Target = field(default_factory=Target)
    fingerprint: str = ""
    """Tells whether a second order of the same id is the same order."""

    @property
    def few(self) -> bool:
        return bool(self.room) and len(self.recipients) <= FEW

    @property
    def key(self) -> str:
        return f"tplorder:{self.id}"

    def send_keys(self) -> list[str]:
        n = len(self.recipients)
        return [f"tpl:{self.id}:{index}/{n}" for index in range(1, n + 1)]

    def document(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "number": self.number,
            "template": dict(self.template),
            "recipients": list(self.recipients),
            "preview": self.preview,
            "by": self.by,
            "room": self.room,
            "target": {"agent": self.target.agent, "department": self.target.department},
            "fingerprint": self.fingerprint,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Order:
        number, recipients = NumberId(document["number"]), tuple(document["recipients"])
        return cls(**{**document, "number": number, "recipients": recipients, "target": Target(**document["target"])})

    def sends(self) -> list[Entry]:
        shared = {name: value for name, value in self.document().items() if name not in ("recipients", "number")}
        return [
            Entry(key, f"tpl:{self.number}:{to}", "template.send", {**shared, "to": to}, source=self.number)
            for key, to in zip(self.send_keys(), self.recipients, strict=True)
        ]

    def entries(self) -> list[Entry]:
        """What makes it happen, in one commit."""
        if self.few:
            return self.sends()
        lane = f"tplorder:{zlib.crc32(self.number.encode()) % ORDER_LANES}"
        return [Entry(self.key, lane, "template.order", self.document(), source=self.number)]


def is_few(key: str) -> bool:
    """Whether the entry of this key belongs to an order of few recipients."""
    return int(key.rpartition("/")[2] or 0) <= FEW


def order_of(key: str) -> str:
    """Id of the order that an entry of a recipient belongs to."""
    return key.removeprefix("tpl:").rpartition(":")[0]


# --- what became of it ----------------------------------------------------------------------------------------------

State = Literal["sent", "failed", "unsure", "waiting"]


@dataclass(frozen=True, slots=True)
class Result:
    to: str
    state: State
    why: str = ""
    """As the journal has it: name of the error, and what the server said."""


def result_of(to: str, stored: Stored | None) -> Result:
    if stored is None or stored.state == "waiting":
        return Result(to, "waiting", stored.why if stored else "")
    if stored.state == "done":
        return Result(to, "sent")
    return Result(to, "unsure" if stored.why.startswith("Unsure") else "failed", stored.why)


class Orders:
    """Gives orders, and lets large ones out little by little: handler of `template.order` entries."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self.stopping = asyncio.Event()
        """Set when the worker takes nothing new: then there is nothing to wait for."""
        self._out: dict[str, list[str]] = {}
        """Lane of orders → keys of its recipients that are under way."""

    async def give(self, order: Order, *also: Entry) -> bool:
        """Durable when it returns. False when this very order was given before."""
        return await self._journal.append(*order.entries(), *also) > 0

    async def results(self, order: Order, timeout: float) -> list[Result]:
        """As soon as all are known, at the latest after `timeout` seconds."""
        until = self._clock.now() + timeout
        found = []
        for to, key in zip(order.recipients, order.send_keys(), strict=True):
            closed = await self._closed([key], until - self._clock.now())
            found.append(result_of(to, closed.get(key) or await self._journal.find(key)))
        return found

    async def standing(self, keys: Sequence[str]) -> list[Result]:
        """What became of these recipients so far; of those who got it, and of those whose turn has not come yet, the
        journal no longer or not yet says who they are."""
        found = [await self._journal.find(key) for key in keys]
        return [result_of(str(stored.entry.body.get("to", "")) if stored else "", stored) for stored in found]

    async def __call__(self, entry: Entry) -> Outcome:
        order = Order.of(entry.body)
        for send in order.sends():
            out = self._out.setdefault(entry.lane, [])
            await self._make_room(out, entry)
            if await self._journal.append(send):
                out.append(send.key)
        return Outcome({"recipients": len(order.recipients), "fingerprint": order.fingerprint})

    async def _make_room(self, out: list[str], entry: Entry) -> None:
        """Returns when another recipient may be let out. Raises Trouble when none has been dealt with for a while."""
        while len(out) >= AT_ONCE:
            over = await self._closed(out, _A_WHILE) or [key for key in out if await self._journal.find(key) is None]
            for key in over:
                out.remove(key)
            if over:
                continue
            if self.stopping.is_set() or entry.tries < _PATIENT_TRIES:
                raise Trouble("the recipients before are still waiting")
            del out[0]

    async def _closed(self, keys: Sequence[str], timeout: float) -> dict[str, Stored]:
        """Those that are done or dead, as soon as one is; none after `timeout` seconds, or when the bot stops."""
        waiting = {key: asyncio.ensure_future(self._journal.closed(key, max(timeout, 0.0))) for key in keys}
        stopping = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait((*waiting.values(), stopping), return_when=asyncio.FIRST_COMPLETED)
            return {key: stored for key, one in waiting.items() if one.done() and (stored := one.result())}
        finally:
            for task in (*waiting.values(), stopping):
                task.cancel()
            await asyncio.gather(*waiting.values(), stopping, return_exceptions=True)
