"""What the doctor found, before anybody judges it. `said` is the words of an error; empty: there was none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bot.model import Health


@dataclass(frozen=True, slots=True)
class Answer:
    """Of a server to a bare GET. `ahead`: seconds by which its clock is ahead of ours; None: it does not tell."""

    said: str = ""
    ahead: float | None = None


@dataclass(frozen=True, slots=True)
class WorkspaceFacts:
    url: str
    answer: Answer
    version: str = ""
    login: str = ""
    """Why the login was refused; empty: it is valid, or `username` is empty and it is not known."""
    username: str = ""
    roles: frozenset[str] = frozenset()
    permissions: Mapping[str, frozenset[str]] | None = None
    """Of the workspace: permission → roles that hold it. None: it could not be read."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """Public settings as far as they could be read."""
    agents: int | None = None
    available: int | None = None
    setup_channel: str = ""
    """The wished name."""
    setup_found: bool | None = None
    """None: it could not be asked."""
    setup_people: int | None = None
    """Members besides the bot; None: not known."""


@dataclass(frozen=True, slots=True)
class NumberFacts:
    phone: str
    health: Health | None = None
    key_refused: bool = False
    said: str = ""
    hook: Literal["us", "other", "nobody", "unknown"] = "unknown"
    hook_shown: str = ""
    """Host and path of another system's address."""
    hook_secret: bool | None = None
    """Whether deliveries to us bring the secret header with the right value; None: it is not known."""
    heard_at: float = 0.0
    """When the last webhook came, of those that were looked at; 0: none."""


@dataclass(frozen=True, slots=True)
class AddressFacts:
    """The public address, as seen from this machine."""

    url: str
    host: str
    loopback: bool = False
    addresses: tuple[str, ...] = ()
    unresolved: str = ""
    tls: str = ""
    """Why the certificate was refused."""
    valid_until: float = 0.0
    """Unix seconds; 0: no TLS, or not known."""
    said: str = ""
    status: int = 0
    ours: bool = False
    """What answered there could prove that it is this bot."""
    served: bool = True
    """Somebody listens on our port: the bot, or the doctor in its place."""


@dataclass(frozen=True, slots=True)
class HouseFacts:
    """This machine and what is stored."""

    folder: str
    free: int = 0
    """Bytes."""
    write_ms: float = 0.0
    """Median of a small write that reaches the disk."""
    disk: str = ""
    store: Literal["fine", "new", "unchecked", "bad"] = "fine"
    where: str = ""
    """The database, without its password."""
    format: int = 0
    said: str = ""
    waiting: int = 0
    dead: int = 0
    key: Literal["fine", "new", "bad"] = "fine"
    key_file: str = ""
    key_said: str = ""
    running: bool = True
    incomplete: Mapping[str, int] = field(default_factory=dict)
    """Language → how many texts it lacks."""
    languages: int = 0
    unknown_language: str = ""
    """The one that is configured, when there are no texts in it."""


@dataclass(frozen=True, slots=True)
class Facts:
    now: float
    house: HouseFacts
    workspace: WorkspaceFacts
    dialog360: Answer
    dialog360_url: str
    numbers: tuple[NumberFacts, ...]
    address: AddressFacts
