"""What a command is, what it may answer, and how a chat message is read as a call of one. Pure.

A command is a frozen value at the end of its own file in `commands/`; help, permission check and suggestions come from
it. An answer is a `Reply`: keys, values, buttons, never a finished sentence; `bot.chatops.chat_view` and
`bot.web.pages` put it into words.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Union

import regex

from bot.model import Conversation, RoomId, UserId
from bot.ports import AppSettings, Condition, Finding, Registry, WhatsApp, Workspace

if TYPE_CHECKING:
    from bot.chatops.form import Form, Opening
    from bot.relay.audit import Audit
    from bot.relay.overview import Overview
    from bot.relay.template_orders import Orders
    from bot.relay.templates import Templates

NAME = "whatsapp-360d-cloud"
SLASH = f"/{NAME}"
BANG = f"!{NAME}"


def typed(*words: str) -> str:
    """What a button posts. The `!` form reaches the bot whatever the workspace does with unknown slash commands."""
    return " ".join((BANG, *words))


# --- answers --------------------------------------------------------------------------------------------------------

Value = Union[str, int, "Words", "Block"]


@dataclass(frozen=True, slots=True)
class Words:
    """A text to be: a key of the catalogue and what fills its gaps. A value may be words itself."""

    key: str
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Block:
    """Data in several lines, in WhatsApp's markup: a message as the customer sees it. Shown in full."""

    text: str


@dataclass(frozen=True, slots=True)
class Press:
    """A button below an answer: one press posts `says` as the person who pressed, or opens the address `opens`."""

    label: Words
    says: str = ""
    opens: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """What a person did, for the audit log. `what` is the command's or the form's name; `about` holds no secret, and no
    text that is meant for customers. Phone numbers are masked by whoever stores it."""

    what: str
    about: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the bot answers. `layout` names a template that draws rows; without one the key's text is the answer.

    Plain strings in `values` and `rows` are data, perhaps typed by somebody: whoever draws the reply makes them inert.
    `link` is ours and is shown as it is.
    """

    key: str
    values: Mapping[str, Value] = field(default_factory=dict)
    rows: tuple[Mapping[str, Value], ...] = ()
    buttons: tuple[Press, ...] = ()
    link: str = ""
    layout: str = ""
    did: Act | None = None
    """What was done, for the audit log; None: nothing that it keeps. Not stored with a session."""

    def document(self) -> dict[str, Any]:
        """As JSON, for a stored session."""
        return {
            "key": self.key,
            "values": _values_document(self.values),
            "rows": [_values_document(row) for row in self.rows],
            "buttons": [
                {"label": _value_document(b.label), "says": b.says, "opens": b.opens} for b in self.buttons
            ],
            "link": self.link,
            "layout": self.layout,
        }  # fmt: skip

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Reply:
        return cls(
            key=document["key"],
            values=_values_of(document["values"]),
            rows=tuple(_values_of(row) for row in document["rows"]),
            buttons=tuple(Press(words_of(b["label"]), b["says"], b["opens"]) for b in document["buttons"]),
            link=document["link"],
            layout=document["layout"],
        )


def words_document(words: Words) -> dict[str, Any]:
    return {"key": words.key, "values": _values_document(words.values)}


def words_of(document: Mapping[str, Any]) -> Words:
    return Words(document["key"], _values_of(document["values"]))


def _value_document(value: Value) -> Any:
    if isinstance(value, Block):
        return {"block": value.text}
    return words_document(value) if isinstance(value, Words) else value


def _values_document(values: Mapping[str, Value]) -> dict[str, Any]:
    return {name: _value_document(value) for name, value in values.items()}


def _values_of(document: Mapping[str, Any]) -> dict[str, Value]:
    return {name: _value_of(value) for name, value in document.items()}


def _value_of(value: Any) -> Value:
    if isinstance(value, dict):
        return Block(value["block"]) if "block" in value else words_of(value)
    return value  # type: ignore[no-any-return]  # a text or a number: what `_value_document` left as it was


# --- commands -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Person:
    id: UserId
    username: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class House:
    """What commands need to know of the installation."""

    public_url: str
    app_id: str
    signup_url: str
    roles: tuple[str, ...]
    """Who may use commands that name no roles of their own."""
    api_token: str = field(default="", repr=False)
    token_is_configured: bool = False


@dataclass(frozen=True, slots=True)
class Desk:
    """Who asks, from where, and the doors to the outside. Everything that a command or a form may touch."""

    person: Person
    room: RoomId
    workspace: Workspace
    registry: Registry
    whatsapp: WhatsApp
    house: House
    settings: AppSettings
    condition: Callable[[], Awaitable[Condition]]
    examine: Callable[[], Awaitable[list[Finding]]]
    """Asks everything that the doctor asks; takes some seconds."""
    may: Callable[[Command], Awaitable[bool]]
    """Whether the person may use a command now, asked of Rocket.Chat."""
    commands: tuple[Command, ...]
    now: float
    """Unix seconds."""
    templates: Templates
    orders: Orders
    audit: Audit
    overview: Overview
    occasion: str = ""
    """Names what is being answered, and is the same when it is answered again after a crash."""
    customer: Conversation | None = None
    """Whose room it is, in a room of a WhatsApp customer."""


Open = Callable[[Desk, tuple[str, ...]], Awaitable["Reply | Opening"]]
Place = Literal["setup", "customer", "anywhere"]


@dataclass(frozen=True, slots=True)
class Command:
    """`/whatsapp-360d-cloud <name>`. `summary` is a key; `examples` are words after the name."""

    name: str
    open: Open
    summary: str = ""
    roles: tuple[str, ...] | None = None
    """None: the configured ones. Empty: everybody."""
    place: Place = "setup"
    """`setup`: the setup channel and direct messages. `customer`: these, and rooms of WhatsApp customers, where agents
    may use it too (role `livechat-agent` or `livechat-manager`)."""
    examples: tuple[str, ...] = ()
    forms: tuple[Form, ...] = ()
    listed: bool = True
    """Shown by `help` and suggested; a command that only buttons use is not."""


def nearest(word: str, commands: Iterable[Command]) -> Command | None:
    """The listed command that the word was perhaps meant to be."""
    names = {command.name: command for command in commands if command.listed}
    close = difflib.get_close_matches(word.casefold(), names, n=1, cutoff=0.6)
    begins = [name for name in names if len(word) > 1 and name.startswith(word.casefold())]
    found = [*begins, *close]
    return names[found[0]] if found else None


# --- reading --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    """A message read as a command: `name` in lower case, empty when nothing followed the address."""

    name: str
    args: tuple[str, ...]
    addressed: bool
    """It began with the slash or `!` form or a mention; False for bare words in a direct message."""


_OPENING = {'"': '"', "“": "”„“", "„": "“”", "«": "»", "'": "'", "‘": "’"}
_JOINERS = "\u200c\u200d"  # belong to Persian words and family emoji
_BLANK = regex.compile(r"[\s\p{Zs}\x1c-\x1f]")
_INVISIBLE = regex.compile(rf"[[\p{{Cf}}\p{{Cc}}]--[{_JOINERS}]]", regex.VERSION1)
"""Every message of every agent is looked at: character by character in Python it cost more than storing it."""


def read(text: str, bot_username: str, *, direct: bool = False) -> Call | None:
    """None: not for us. In a direct message everything is, so bare words are a call there."""
    line = visible(text)
    rest = _after_address(line, bot_username)
    if rest is None and not direct:
        return None
    words = split(line if rest is None else rest)
    name = words[0].casefold().strip(_JOINERS) if words else ""
    return Call(name, tuple(words[1:]), addressed=rest is not None)


def mistyped(text: str) -> str | None:
    """What followed a name that is nearly ours, `help` when nothing did; None for everything else."""
    first, _, rest = visible(text).partition(" ")
    if first[:1] not in ("/", "!") or difflib.SequenceMatcher(None, first[1:].casefold(), NAME).ratio() < 0.8:
        return None
    return " ".join(split(rest)[:2]) or "help"


def visible(text: str) -> str:
    """The text as a person sees it: every kind of blank is a plain one, invisible characters are gone."""
    if text.isprintable():  # holds neither: nearly every message of one line
        return text.strip()
    return _INVISIBLE.sub("", _BLANK.sub(" ", text)).strip()


def _after_address(line: str, bot_username: str) -> str | None:
    names = [re.escape(SLASH), re.escape(BANG)]
    if bot_username:
        names.append("@" + re.escape(bot_username))
    found = re.match(rf"(?:{'|'.join(names)})(?:[:,]?(?=\s|$))", line, re.IGNORECASE)
    return line[found.end() :].strip() if found else None


def split(line: str) -> list[str]:
    """Words; what stands in quotes is one word: `to "Ana Maria"`. A quote that nobody closes is a character.

    A quote counts where a word begins, so `it's` is one plain word."""
    words: list[str] = []
    never_closed: set[str] = set()
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
            continue
        closing = _OPENING.get(line[at], "")
        end = None
        if closing and closing not in never_closed:  # not searched for again: that would take a second for each message
            end = next((i for i in range(at + 1, len(line)) if line[i] in closing and _ends(line, i)), None)
            if end is None:
                never_closed.add(closing)
        if end is not None:
            words.append(line[at + 1 : end])
            at = end + 1
            continue
        stop = next((i for i in range(at, len(line)) if line[i].isspace()), len(line))
        words.append(line[at:stop])
        at = stop
    return words


def _ends(line: str, at: int) -> bool:
    return at + 1 == len(line) or line[at + 1].isspace()
