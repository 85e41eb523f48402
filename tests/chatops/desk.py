"""A scene for dialogs: people who write, the bot's chat side with its real registry, and fakes of the two servers with
levers for what they answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from bot.chatops.command import Command, House
from bot.chatops.dispatcher import Account, Dispatcher
from bot.chatops.office import SETUP_ROOM, Office
from bot.chatops.sessions import Sessions
from bot.config import App
from bot.errors import BotError, KeyInvalid
from bot.model import Button, Conversation, Department, Health, Hook, MessageId, Post, RoomId, UserId
from bot.ports import Condition, Entry, Finding, Journal, Json, Outcome, Stored, WhatsApp, Workspace
from bot.relay.audit import Audit
from bot.relay.live_settings import LiveSettings
from bot.relay.overview import Link, Overview
from bot.relay.template_orders import Order, Orders, Result
from bot.relay.templates import Templates
from bot.storage.local_locks import LocalLocks
from bot.storage.registry import TinyRegistry
from bot.storage.secrets import Vault
from bot.translations import translator
from commands import ALL

KEY = "8Gh3kL9mQ2xT7vB4nW6pZ1rY5sD0fJ_AK"
OTHER_KEY = "1Aa2Bb3Cc4Dd5Ee6Ff7Gg8Hh9Ii0Jj_AK"
PHONE = "+4915112345678"
PUBLIC = "https://bot.example"
TOKEN = "token-of-the-api"
SETUP = RoomId("setupRoom")


class FakeClock:
    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class FakeWorkspace:
    roles: dict[str, set[str]] = field(default_factory=lambda: {"ada": {"admin"}, "eve": {"livechat-agent"}})
    owners: dict[RoomId, set[str]] = field(default_factory=dict)
    version: str = "8.3"
    rooms: list[Department] = field(default_factory=lambda: [Department("d1", "Sales"), Department("d2", "Support")])
    said: dict[MessageId, tuple[RoomId, Post]] = field(default_factory=dict)
    deleted: list[MessageId] = field(default_factory=list)
    failing: dict[str, BotError] = field(default_factory=dict)
    """Method → what it raises."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and then a new one, when something is said."""

    async def say(self, room: RoomId, id: MessageId, post: Post) -> None:
        self._may_fail("say")
        self.said.setdefault(id, (room, post))
        self.news.set()
        self.news = asyncio.Event()

    async def delete(self, room: RoomId, id: MessageId) -> None:
        self._may_fail("delete")
        self.deleted.append(id)

    async def roles_of(self, user: UserId, room: RoomId | None = None) -> frozenset[str]:
        self._may_fail("roles_of")
        owns = room is not None and user in self.owners.get(room, set())
        return frozenset(self.roles.get(user, set()) | ({"owner"} if owns else set()))

    async def departments(self) -> list[Department]:
        self._may_fail("departments")
        return self.rooms

    def _may_fail(self, method: str) -> None:
        if method in self.failing:
            raise self.failing[method]


async def _nothing(_: str) -> None:
    """Nothing happens."""


@dataclass
class FakeWhatsApp:
    keys: dict[str, Health] = field(default_factory=lambda: {KEY: Health("AVAILABLE", PHONE, "pn1", "Demo Shop")})
    hooks: dict[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)
    failing: dict[str, BotError] = field(default_factory=dict)
    keeps: str = ""
    """An address that is registered whatever the bot asks for."""
    before_hook: Callable[[str], Awaitable[None]] = _nothing
    """Told of the address that is about to be registered."""
    lost: dict[str, BotError] = field(default_factory=dict)
    """Method → what it raises once it has taken effect."""
    refuse: BotError | None = None
    definitions: list[Json] = field(default_factory=list)

    async def check(self, api_key: str) -> Health:
        self._may_fail("check")
        if api_key not in self.keys:
            raise KeyInvalid
        return self.keys[api_key]

    async def webhook(self, api_key: str) -> Hook | None:
        self._may_fail("webhook")
        return Hook(*self.hooks[api_key]) if api_key in self.hooks else None

    async def set_webhook(self, api_key: str, url: str, headers: Mapping[str, str]) -> None:
        await self.before_hook(url)
        self._may_fail("set_webhook")
        self.hooks[api_key] = (self.keeps or url, dict(headers))
        if "set_webhook" in self.lost:
            raise self.lost["set_webhook"]

    async def templates(self, api_key: str) -> list[Json]:
        self._may_fail("templates")
        return self.definitions

    def _may_fail(self, method: str) -> None:
        if method in self.failing:
            raise self.failing[method]


@dataclass
class FakeOrders:
    """Takes orders; each recipient has got it at once."""

    given: dict[str, Order] = field(default_factory=dict)

    async def give(self, order: Order, *also: Entry) -> bool:
        new = order.id not in self.given
        self.given.setdefault(order.id, order)
        return new

    async def results(self, order: Order, timeout: float) -> list[Result]:
        return [Result(to, "sent") for to in order.recipients]


class Notes:
    """As much of a journal as the audit log needs: what was noted, once for each key. Nothing was ever given up."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    async def append(self, *entries: Entry) -> int:
        fresh = [one for one in entries if one.key not in self.entries]
        for one in fresh:
            self.entries[one.key] = one._replace(seq=len(self.entries) + 1)
        return len(fresh)

    async def counts(self) -> Mapping[str, int]:
        return {"dead": 0}

    async def dead(self, limit: int = 100, *, latest: bool = False, after: Stored | None = None) -> list[Stored]:
        return []

    async def audit(self, limit: int, before: int = 0, *, done: bool = False) -> list[Stored]:
        assert not done, "the log is only read here"
        latest = [Stored(one, "waiting") for one in reversed(self.entries.values()) if not before or one.seq < before]
        return latest[:limit]


class Scene:
    """The bot's chat side, and people who write to it. What the bot answered to a message is returned by `write`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.workspace = FakeWorkspace()
        self.whatsapp = FakeWhatsApp()
        self.orders = FakeOrders()
        self.notes = Notes()
        self.journal = cast(Journal, self.notes)
        """What `status` looks at."""
        self.keep_days = 30
        self.customers: dict[RoomId, Conversation] = {}
        self.findings: list[Finding] = []
        self.link = Link(connected=True, since=1_700_000_000.0, heard_at=1_700_000_100.0)
        self.count = 0
        self.commands = ALL
        self.configured = App()
        self.language: Callable[[], str] = lambda: "en"
        self.restart()

    def use(self, *commands: Command) -> None:
        """Other commands than the real ones."""
        self.commands = commands
        self.restart()

    def configure(self, app: App) -> None:
        self.configured = app
        self.restart()

    def live_language(self) -> None:
        """Texts in the language that is set, as in the running bot."""
        self.language = lambda: self.settings.current.preferred_language
        self.restart()

    def restart(self) -> None:
        """Everything that is only in memory is gone."""
        vault = Vault(self.folder / "secret.key")
        self.registry = TinyRegistry(self.folder / "registry.json", vault)
        self.sessions = Sessions(self.registry, vault.derive, self.clock, PUBLIC, LocalLocks().alone)
        self.settings = LiveSettings(self.registry, self.configured, LocalLocks().alone)
        whatsapp, t = cast(WhatsApp, self.whatsapp), translator("en")
        self.audit = Audit(cast(Journal, self.notes), self.clock, vault.derive)
        self.templates = Templates(self.registry, whatsapp, self.clock, lambda: self.settings.current, t)
        self.office = Office(
            workspace=cast(Workspace, self.workspace),
            registry=self.registry,
            whatsapp=cast(WhatsApp, self.whatsapp),
            clock=self.clock,
            house=House(PUBLIC, "app", "https://sign.up/", ("admin", "livechat-manager"), api_token=TOKEN),
            settings=self.settings,
            condition=self.condition,
            examine=self.examine,
            templates=self.templates,
            orders=cast(Orders, self.orders),
            audit=self.audit,
            overview=Overview(self.journal, lambda: self.link, t, keep_days=self.keep_days),
            customer_of=self.customer_of,
            commands=self.commands,
        )
        self.dispatcher = Dispatcher(self.office, self.sessions, Account("bot", "wa.bot"), translator(self.language))

    async def customer_of(self, room: RoomId) -> Conversation | None:
        return self.customers.get(room)

    async def examine(self) -> list[Finding]:
        return list(self.findings)

    async def condition(self) -> Condition:
        return Condition("1.2.3", self.workspace.version, True, waiting=4, dead=1)

    def entry(self, text: str, user: str = "ada", room: str = SETUP, room_type: str = "p") -> Entry:
        self.count += 1
        message: dict[str, Any] = {
            "_id": f"m{self.count}",
            "rid": room,
            "msg": text,
            "ts": {"$date": 1_700_000_000_000 + self.count},
            "u": {"_id": user, "username": f"{user}.user", "name": user.title()},
        }
        body = {"message": message, "room_type": room_type}
        return Entry(f"chat:m{self.count}", f"cmd:{room}:{user}", "chat.message", body)

    async def write(self, text: str, user: str = "ada", room: str = SETUP, room_type: str = "p") -> list[Post]:
        return await self.answers(self.entry(text, user, room, room_type))

    async def dm(self, text: str, user: str = "ada") -> list[Post]:
        return await self.write(text, user, f"dm-{user}", "d")

    async def one(self, text: str, **where: str) -> Post:
        posts = await self.write(text, **where)
        assert len(posts) == 1, posts
        return posts[0]

    async def answers(self, entry: Entry) -> list[Post]:
        before = set(self.workspace.said)
        await self.handle(entry)
        return [post for id, (_, post) in self.workspace.said.items() if id not in before]

    async def handle(self, entry: Entry) -> Outcome:
        await self.registry.set_fact(SETUP_ROOM, SETUP)
        return await self.dispatcher.handle(entry)

    async def press(self, post: Post, label: str, user: str = "ada", **where: str) -> list[Post]:
        return await self.write(button(post, label).text, user, **where)

    async def session(self) -> dict[str, Any]:
        """The stored document of the newest form."""
        return dict((await self.registry.sessions())[-1])

    async def save_key(self, key: str = KEY) -> list[Post]:
        """What the page does when only the key is sent, to go on in chat."""
        document = await self.session()
        await self.registry.put_session({**document, "secrets": {"api_key": key}})
        self.count += 1
        body = {"session": document["id"], "act": "chat"}
        return await self.answers(Entry(f"form:{self.count}", "lane", "form.submit", body))


def button(post: Post, label: str) -> Button:
    return next(one for one in post.buttons if one.label == label)


def labels(post: Post) -> list[str]:
    return [one.label for one in post.buttons]


def link(post: Post) -> str:
    found = re.search(r"https://bot\.example/forms/\S+", post.text)
    assert found, post.text
    return found.group()
