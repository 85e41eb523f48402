"""What the middle of the house needs from the outside, as Protocols. Adapters fit them; `bot.app` plugs them in.

Unless a docstring says otherwise every method may raise any of `Busy`, `Unsure` and `Refused` (see `bot.errors`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from bot.model import (
    Health,
    Hook,
    MediaFile,
    Number,
    NumberId,
    Sent,
)
from bot.ports_journal import ASIDE, Backlog, Belongings, Entry, Erased, Journal, Kind, Outcome, Step, Stored
from bot.ports_rocketchat import Heard, Json, Lost, Ready, Stream, Workspace, WorkspaceAdmin

__all__ = [
    "ASIDE", "AppSettings", "Backlog", "Belongings", "Clock", "Condition", "Entry", "Erased", "Finding", "Handler",
    "Heard", "Journal", "Json", "Kind", "Lost", "Nobody", "Others", "Outcome", "Outgoing", "Ready", "Registry",
    "SettingValue", "Step", "Stored", "Stream", "Verdict", "WhatsApp", "Workspace", "WorkspaceAdmin",
]  # fmt: skip


Alone = Callable[[str], AbstractAsyncContextManager[object]]
"""Takes a name. Of all tasks, of all bots that share a database, one at a time is inside the context of that name."""


class Others(Protocol):
    """The bots that share our database, and what they tell each other. What is told may be lost: it may save somebody
    from waiting, but nothing may depend on it."""

    @property
    def bots(self) -> int:
        """How many are running, this one included; one that vanished a moment ago still counts."""

    @property
    def listeners(self) -> list[Callable[[frozenset[str]], None]]:
        """Called with what other bots told."""

    def tell(self, *what: str) -> None: ...


@dataclass(frozen=True)
class Nobody:
    """The others of a bot that shares with none."""

    bots: int = 1
    listeners: list[Callable[[frozenset[str]], None]] = field(default_factory=list)

    def tell(self, *what: str) -> None:
        """There is nobody to hear it."""


class Clock(Protocol):
    def now(self) -> float:
        """Unix seconds."""

    async def sleep(self, seconds: float) -> None: ...


# --- the registry ---------------------------------------------------------------------------------------------------


class Registry(Protocol):
    """Few documents, slow change: connected numbers, form sessions, small facts. Secrets are sealed inside."""

    async def numbers(self) -> list[Number]:
        """Without those that were disconnected."""

    async def number(self, id: NumberId) -> Number | None:
        """None also for one that was disconnected."""

    async def former(self, id: NumberId) -> Number | None:
        """One that was disconnected."""

    async def number_of_hook(self, hook_path: str) -> Number | None:
        """Compared in constant time. Disconnected ones are found too."""

    async def put_number(self, number: Number) -> None: ...

    async def remove_number(self, id: NumberId) -> None: ...

    async def sessions(
        self, wanted: Callable[[Json], bool] = lambda _: True, *, id: str | None = None, room: str | None = None
    ) -> list[Json]:
        """Form sessions as plain documents with an `id` and a `room`; `bot.chatops.form` gives them meaning and a
        lifetime. With `id` or `room` only those are read: every message of an agent looks for a session in its room,
        and hardly ever there is one. `wanted` may be asked before a document's `secrets` are opened."""

    async def put_session(self, session: Json) -> None:
        """A shared registry keeps one that has gone on since (a later `revision`, or `state`): a step that waited for
        storage is not undone by one that waited longer."""

    async def remove_session(self, id: str) -> None: ...

    async def fact(self, name: str) -> str | None: ...

    async def set_fact(self, name: str, value: str) -> None: ...


# --- what an installation is set to, and how it is -------------------------------------------------------------------

SettingValue = str | int | bool


class AppSettings(Protocol):
    """The eleven settings of the app by name. What was set in chat wins over the configuration."""

    @property
    def values(self) -> Mapping[str, SettingValue]:
        """As they stand now."""

    @property
    def configured(self) -> Mapping[str, SettingValue]:
        """What the configuration says."""

    @property
    def chosen(self) -> frozenset[str]:
        """Names of those that were set in chat."""

    @property
    def languages(self) -> Mapping[str, str]:
        """Values that `preferred_language` may have, each with the name that its speakers use."""

    async def change(self, name: str, value: SettingValue) -> None:
        """Raises Invalid for a name or a value that the configuration would refuse too."""

    async def reset(self, name: str) -> None:
        """Back to what the configuration says."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How the bot is, in words that may be passed on: no secret, no customer."""

    version: str
    rocketchat_version: str
    """Empty: not known."""
    connected: bool
    """To Rocket.Chat."""
    waiting: int
    dead: int


Verdict = Literal["fine", "hint", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check of the doctor found. `check` names it for programs; `says` and `fix` are keys of the catalogue.

    `values` hold no secret. `fix` is empty when all is well."""

    check: str
    verdict: Verdict
    says: str
    values: Mapping[str, str | int] = field(default_factory=dict)
    fix: str = ""


# --- 360Dialog ------------------------------------------------------------------------------------------------------


class WhatsApp(Protocol):
    """360Dialog's Cloud API. Every call carries one number's API key."""

    async def turn(self, api_key: str, *, bulk: bool = False) -> None:
        """Returns when this number may send the next message; conversations come before `bulk`. Ask before anything is
        noted as handed over. Raises RateLimited while WhatsApp has asked the number to wait."""

    async def send(self, api_key: str, body: Json) -> Sent:
        """One POST /messages. Raises Unsure when the request may have been accepted."""

    async def media(self, api_key: str, id: str) -> MediaFile:
        """Where a file is, for five minutes. Raises Refused when there is no such file (any more)."""

    def fetch(self, api_key: str, url: str) -> AsyncGenerator[bytes, None]:
        """Content of a file at an address that `media` gave. Close it. Raises NotFound when the address has expired,
        FileRefused when it is not WhatsApp's."""

    async def upload(self, api_key: str, file: Path, *, name: str, mime_type: str) -> str:
        """The id under which the file can be sent for 30 days. Repeatable. Raises MediaRefused."""

    async def templates(self, api_key: str) -> list[Json]:
        """The definitions of all message templates, whatever their status; `bot.whatsapp.templates` reads them."""

    async def check(self, api_key: str) -> Health:
        """Raises KeyInvalid."""

    async def webhook(self, api_key: str) -> Hook | None:
        """What is registered for the number now, None when nothing is."""

    async def set_webhook(self, api_key: str, url: str, headers: Mapping[str, str]) -> None: ...


class Outgoing(Protocol):
    """HTTP to an address that an administrator chose."""

    async def post(self, url: str, body: Json, *, private: bool) -> None:
        """POSTs JSON; returns when it was answered with 2xx. `private`: addresses inside the network are allowed.

        Raises AddressNotAllowed; Refused for a redirect and any other 4xx; Busy for the rest."""


class Handler(Protocol):
    """What the worker calls for a kind of entry."""

    async def __call__(self, entry: Entry) -> Outcome: ...
