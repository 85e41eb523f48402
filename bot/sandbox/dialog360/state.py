"""What the simulator remembers: numbers, messages, calls, deliveries. Times are unix seconds of its own clock."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot.sandbox.dialog360.customer import Customer

Json = dict[str, Any]


def new_wamid() -> str:
    """Opaque, with `+`, `/` and `=` in it now and then, as real ones have."""
    return "wamid." + base64.b64encode(b"\x1d\x18" + os.urandom(38)).decode()


@dataclass(eq=False, slots=True)
class SandboxNumber:
    """A connected business number. One key opens exactly one number."""

    phone: str
    digits: str
    name: str
    phone_number_id: str
    waba_id: str
    api_key: str
    webhook: Json | None = None
    """What was registered: `{"url", "headers"}`."""
    health: str = "AVAILABLE"
    """AVAILABLE, LIMITED or BLOCKED."""
    quality: str = "GREEN"
    profile: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Card:
    """A template as a phone draws it. A header that is a file is in the body that was sent, and empty here."""

    header: str
    body: str
    footer: str
    buttons: tuple[tuple[str, str], ...]
    """(label, where it leads: an address, a phone number, a code; empty: it answers)."""


@dataclass(slots=True)
class Received:
    """What a phone shows of one message that was sent to it."""

    wamid: str
    number: SandboxNumber
    body: Json
    """The accepted body of POST /messages."""
    at: float
    text: str
    """The same in words: templates filled in, files in brackets."""
    status: str = "accepted"
    """The last status that was reported to the business."""
    card: Card | None = None
    """Of a template."""


@dataclass(slots=True)
class Message:
    """One message in either direction, found again by its wamid."""

    wamid: str
    number: SandboxNumber
    customer: Customer | None
    inbound: bool
    at: float
    body: Json
    recipient: str = ""
    """What the caller wrote into `to` or `recipient`."""
    received: Received | None = None
    read: bool = False
    state: str = ""
    """The last status that was reported of an outgoing one, also of one that no phone shows."""


@dataclass(slots=True)
class Call:
    """One HTTP request that came in. `status` is 0 until answered, and when the connection was cut."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    status: int
    api_key_suffix: str
    at: float


@dataclass(slots=True)
class Delivery:
    """One webhook body on its way. `statuses` holds the answer to each attempt, 0 when none came in time."""

    number: SandboxNumber
    body: Json | bytes
    statuses: list[int]
    at: float
    attempts: int = 0
