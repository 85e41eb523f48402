"""The words of the domain: ids, numbers, conversations, and what a message can be. Frozen values, no behaviour.

Units: moments are unix seconds (float) unless a name ends in `_ms`; phone numbers are E.164 with a plus
(`+491701234567`); a WhatsApp id (`wa_id`) is the same without the plus, or a business-scoped user id such as
`DE.1234567890`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NewType

NumberId = NewType("NumberId", str)
"""One of our connected WhatsApp numbers: its phone digits, `4915112345678`. Survives a new API key."""
ContactId = NewType("ContactId", str)
"""The customer as WhatsApp names them: phone digits, or a business-scoped user id when there is no phone."""
RoomId = NewType("RoomId", str)
MessageId = NewType("MessageId", str)
"""`_id` of a Rocket.Chat message."""
Wamid = NewType("Wamid", str)
"""Id of a WhatsApp message: opaque, case-sensitive, contains `+ / =`."""
VisitorToken = NewType("VisitorToken", str)
"""A credential: whoever knows it can read and close the customer's room."""
UserId = NewType("UserId", str)
HOOK_HEADER = "X-Webhook-Secret"
"""The header in which 360Dialog sends a number's `hook_secret` with every delivery, as we asked it to."""


@dataclass(frozen=True, slots=True)
class Number:
    """A connected WhatsApp number and what was agreed for it when it was connected."""

    id: NumberId
    phone: str
    api_key: str = field(repr=False)
    hook_path: str = field(repr=False)
    """Unguessable part of the webhook address that belongs to this number alone."""
    hook_secret: str = field(repr=False)
    """Value of `HOOK_HEADER`."""
    name: str = ""
    phone_number_id: str = ""
    department: str = ""
    """Rocket.Chat department id; empty: Rocket.Chat routes as it likes."""
    department_name: str = ""
    welcome_message: str = ""
    conversation_finished_message: str = ""
    offline_message: str = ""
    connected_at: float = 0.0
    disconnected_at: float = 0.0
    """Unless it is 0, only the address is remembered: 360Dialog goes on delivering to it. With `connected_at` too, the
    number is coming back: what comes in waits behind what came before."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One customer on one of our numbers, and the Rocket.Chat visitor and room that stand for them."""

    number: NumberId
    contact: ContactId
    token: VisitorToken = field(repr=False)
    room: RoomId | None = None
    """The room last known to be open; None before the first and after one was found closed."""
    phone: str = ""
    user_id: str = ""
    name: str = ""
    last_inbound_at: float = 0.0
    """When the customer last wrote, by WhatsApp's clock: the 24-hour window counts from here."""


# --- what a message can be ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    text: str


MediaKind = Literal["image", "video", "audio", "voice", "document", "sticker"]


@dataclass(frozen=True, slots=True)
class Media:
    kind: MediaKind
    media_id: str
    mime_type: str = ""
    """Without parameters: `audio/ogg`, not `audio/ogg; codecs=opus`."""
    caption: str = ""
    file_name: str = ""
    sha256: str = ""
    problem: str = ""
    """Why Meta itself could not fetch the file (webhook `errors[]`), empty when it could."""


@dataclass(frozen=True, slots=True)
class Location:
    """A place on the map; without coordinates it is only described."""

    latitude: float | None
    longitude: float | None
    name: str = ""
    address: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One of several, and which one: `+491701234567`, `CELL`. The label may be empty or the person's own word."""

    value: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class ContactCard:
    name: str
    """Empty after a tap on "share contact info", which gives a phone alone."""
    phones: tuple[Labelled, ...] = ()
    emails: tuple[Labelled, ...] = ()
    organisation: str = ""
    addresses: tuple[Labelled, ...] = ()
    urls: tuple[Labelled, ...] = ()
    birthday: str = ""
    """As WhatsApp writes it, usually `YYYY-MM-DD`."""
    vcard: str = ""
    """The card as text, when that is all there is."""


@dataclass(frozen=True, slots=True)
class Contacts:
    cards: tuple[ContactCard, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The customer pressed a button or chose a list row of ours (`button_reply`, `list_reply`, template button)."""

    title: str
    id: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class FlowAnswer:
    """A filled WhatsApp Flow or address form: readable name/value pairs, or the raw text when it is not an object."""

    fields: tuple[tuple[str, str], ...]
    body: str = ""


@dataclass(frozen=True, slots=True)
class Reaction:
    target: Wamid
    emoji: str
    """Empty: the reaction was taken back."""


@dataclass(frozen=True, slots=True)
class OrderItem:
    product: str
    quantity: str
    price: str
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    items: tuple[OrderItem, ...]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    target: Wamid
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Revoke:
    target: Wamid


@dataclass(frozen=True, slots=True)
class NumberChange:
    """The customer has a new phone number or user id; either side may be empty when WhatsApp does not say."""

    old: str
    new: str
    body: str = ""
    user_id: str = ""
    """The new user id where `new` is a phone number."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened without content: `request_welcome`, `identity_changed`, a call, …"""

    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Unsupported:
    """WhatsApp itself does not hand this kind over (polls, view-once, …) and says so."""

    what: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A kind that this version does not know. The raw item stays with it, so that nothing disappears."""

    kind: str
    raw: Mapping[str, Any]


Part = (
    Text | Media | Location | Contacts | Choice | FlowAnswer | Reaction | Order | Edit | Revoke | NumberChange
    | Notice | Unsupported | Unknown
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Referral:
    """The advertisement or post that the customer came from."""

    url: str = ""
    headline: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Sender:
    contact: ContactId
    phone: str = ""
    """E.164 with plus; empty for people who show WhatsApp only a user name."""
    user_id: str = ""
    name: str = ""
    """Chosen by the customer: may be empty, hold markup, mentions, line breaks."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a customer sent, read from a webhook."""

    id: Wamid
    sender: Sender
    at: float
    parts: tuple[Part, ...]
    reply_to: Wamid | None = None
    forwarded: bool = False
    forwarded_often: bool = False
    referral: Referral | None = None
    group: str = ""
    """Set for messages of a WhatsApp group, which is not a private conversation."""


@dataclass(frozen=True, slots=True)
class WireError:
    """An error as WhatsApp or 360Dialog words it; `code` 0 when there is none."""

    code: int
    title: str = ""
    details: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """What became of a message that we sent. `state` may be a word we do not know: it is recorded, not judged."""

    wamid: Wamid
    state: str
    at: float
    recipient: str = ""
    opaque: str = ""
    """`biz_opaque_callback_data`: names our entry and part, so a lost answer can be resolved."""
    errors: tuple[WireError, ...] = ()


# --- what an agent wrote --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FileRef:
    id: str
    name: str
    mime_type: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message that a person wrote in Rocket.Chat, as events and REST show it."""

    id: MessageId
    room: RoomId
    user: UserId
    username: str
    name: str
    text: str
    """As typed (markdown), without the quote links that clients put in front."""
    at_ms: int
    quotes: tuple[MessageId, ...] = ()
    files: tuple[FileRef, ...] = ()
    thread: MessageId | None = None
    buttons: tuple[Button, ...] = ()
    """Quick replies below the message: what a press would say for the reader, or the address it opens."""
    automatic: bool = False
    """An integration wrote it: there is no person to name."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A WhatsApp message and the Rocket.Chat message that show the same thing."""

    wamid: Wamid
    message: MessageId
    room: RoomId
    number: NumberId
    contact: ContactId
    outbound: bool
    entry: str = ""
    """Key of the journal entry that made it."""
    state: str = ""
    """Last known delivery state of an outbound message; never goes backwards."""
    state_at: float = 0.0


# --- answers of the two servers -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Department:
    id: str
    name: str
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Visitor:
    id: str
    token: VisitorToken = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    wamid: Wamid
    wa_id: str = ""
    """The id WhatsApp uses for the recipient; may differ from what was typed (Brazil, Mexico, Argentina)."""


@dataclass(frozen=True, slots=True)
class MediaFile:
    """What 360Dialog says of a customer's file; `size` 0 and empty texts when it does not say."""

    url: str = field(repr=False)
    mime_type: str = ""
    sha256: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Health:
    """What 360Dialog says of a number. `can_send`: AVAILABLE, LIMITED or BLOCKED, empty when it does not say."""

    can_send: str = ""
    phone: str = ""
    phone_number_id: str = ""
    name: str = ""
    quality: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hook:
    """Where 360Dialog delivers a number's messages. `headers` go with each delivery; None when it does not say."""

    url: str = field(repr=False)
    headers: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Button:
    """One press posts `text` as the person who pressed; with `url` it opens that address instead."""

    label: str
    text: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Post:
    """A finished Rocket.Chat message of the bot's: markdown and buttons below it."""

    text: str
    buttons: tuple[Button, ...] = ()
