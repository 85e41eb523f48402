"""What a started bot knows only once Rocket.Chat has answered, and how it comes to know it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from bot import VERSION
from bot.chatops.dispatcher import Account, Dispatcher
from bot.chatops.setup_channel import SetupChannel
from bot.config import ConfigError, Settings
from bot.errors import BotError, Unreachable
from bot.model import RoomId
from bot.ports import Clock, Condition, Entry, Journal, Outcome, WorkspaceAdmin
from bot.relay.listener import Listener
from bot.web.health import Health

log = logging.getLogger(__name__)

_ANSWER = 2.0
"""Seconds in which storage must answer whoever asks for its health."""
_WELL, _IN_TROUBLE = 10.0, 2.0
"""Seconds between two looks whether anything can be stored."""
_STORAGE = "its storage"
_START = 5.0
"""Seconds for which an entry waits for the bot to know who it is."""
_AGAIN = 300.0
"""Seconds until what could not be done for the setup channel is tried again; then twice as long, up to a day."""


class Storing:
    """Whether what comes in can be stored. Found out by storing something, once for however many ask, and seldom."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._look: asyncio.Task[None] | None = None
        self._found = ""
        self._until = 0.0

    async def obstacle(self) -> str:
        """What it lacks, in words for people; empty: nothing."""
        now = asyncio.get_running_loop().time
        if self._look is None or (self._look.done() and now() >= self._until):
            self._look = asyncio.create_task(self._try())
        await asyncio.wait((self._look,), timeout=_ANSWER)
        return self._found if self._look.done() else self._found or _STORAGE

    async def _try(self) -> None:
        try:
            self._found = await self._journal.obstacle()
        except ConfigError:
            self._found = _STORAGE
        self._until = asyncio.get_running_loop().time() + (_IN_TROUBLE if self._found else _WELL)


class Bot:
    """A started bot: how it is, and what its parts must know of each other only once Rocket.Chat has answered."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        setup_room: Callable[[], Awaitable[RoomId | None]],
        heard_at: Callable[[], float],
    ) -> None:
        """`setup_room`: as stored now. `heard_at`: when Rocket.Chat was last heard of, in unix seconds; 0: never."""
        self._setup_room = setup_room
        self.settings = settings
        self.heard_at = heard_at
        self.journal = journal
        self.storing = Storing(journal)
        self.ready = asyncio.Event()
        self.listener: Listener | None = None
        self.account: Account | None = None
        self.introduced = asyncio.Event()
        """Set with the account."""
        self.dispatcher: Dispatcher | None = None
        self.awake = asyncio.Event()
        """Set with the dispatcher."""
        self.settled = asyncio.Event()
        """Set once the setup room is there."""
        self.lost_setup = asyncio.Event()
        """Set when the setup room takes no word of the bot's any more: another one has to be found."""
        self.waits_for = "Rocket.Chat"

    async def health(self) -> Health:
        """`heard`: when Rocket.Chat last sent anything, were it only a sign of life; a dead line is silent first."""
        told: dict[str, str | int] = {"rocketchat": "connected" if self.connected else "away"}
        if at := self.heard_at():
            told["heard"] = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
        try:
            async with asyncio.timeout(_ANSWER):
                counts = await self.journal.counts()
                told |= {"waiting": _undelivered(counts), "done": counts["done"], "dead": counts["dead"]}
        except (TimeoutError, ConfigError):
            return Health(False, {"waits_for": _STORAGE, **told})
        if lacks := await self.storing.obstacle():
            return Health(False, {"waits_for": lacks, **told})
        return Health(self.ready.is_set(), told if self.ready.is_set() else {"waits_for": self.waits_for, **told})

    async def condition(self, admin: WorkspaceAdmin) -> Condition:
        version = ""
        try:
            version = await admin.version()
        except BotError as error:
            log.info("Rocket.Chat does not tell its version: %s", error)
        counts = await self.journal.counts()
        return Condition(VERSION, version, self.connected, _undelivered(counts), counts["dead"])

    async def chat(self, entry: Entry) -> Outcome:
        """Handler of what people tell the bot; waits until the bot knows who it is."""
        return await (await self._awake()).handle(entry)

    async def answers_form(self, entry: Entry) -> bool:
        """Whether what an agent wrote in a customer's room answers a form there, and is not for the customer."""
        return await (await self._awake()).answers_form(entry)

    async def _awake(self) -> Dispatcher:
        await self._patiently(self.awake)
        if self.dispatcher is None:
            raise Unreachable("the bot is starting")
        return self.dispatcher

    async def known_setup_room(self) -> RoomId:
        await self._patiently(self.settled)
        room = await self._setup_room() if self.settled.is_set() else None
        if room is None:
            raise Unreachable("the setup channel is not there yet")
        return room

    async def _patiently(self, known: asyncio.Event) -> None:
        """A start takes a moment. An entry that gave up at once would come back ever later, over many restarts."""
        if not known.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(known.wait(), _START)

    def username(self) -> str:
        """Empty until Rocket.Chat has told it."""
        return self.account.username if self.account else ""

    @property
    def connected(self) -> bool:
        return self.listener is not None and self.listener.connected


def _undelivered(counts: Mapping[str, int]) -> int:
    """What somebody waits for, as `status` counts it."""
    return counts["waiting"] - counts["aside"]


async def begin(
    bot: Bot,
    *,
    admin: WorkspaceAdmin,
    setup: SetupChannel,
    listener: Listener,
    dispatcher: Callable[[Account], Dispatcher],
    first: Iterable[Callable[[], Awaitable[object]]],
    clock: Clock,
) -> None:
    """Who the bot is and where its setup channel is, tried until Rocket.Chat answers; then it is ready.

    `first` has to have worked once before. What the setup channel can do without is tried again afterwards.
    """
    pause = 1.0
    while True:
        try:
            me = await admin.me()
            bot.account = Account(str(me["_id"]), str(me["username"]))
            bot.introduced.set()
            for step in first:
                await step()
            bot.dispatcher = dispatcher(bot.account)
            bot.awake.set()
            await setup.ensure()
            bot.settled.set()
            break
        except BotError as error:
            bot.waits_for = f"Rocket.Chat ({error})"
            log.warning(
                "Rocket.Chat at %s cannot be used yet, again in %.0f s: %s (what to do: `python -m bot doctor`)",
                bot.settings.rocketchat.url,
                pause,
                error,
            )
            await clock.sleep(pause)
            pause = min(pause * 2, 60.0)
    bot.waits_for = "the messages that were missed"
    await listener.caught_up.wait()
    bot.ready.set()
    log.info(
        "ready: go on in %s, in the private channel #%s of @%s; 360Dialog and browsers reach the bot at %s",
        bot.settings.rocketchat.url,
        bot.settings.rocketchat.setup_channel,
        bot.username(),
        bot.settings.server.public_url,
    )
    await _keep(bot, setup, clock)


async def _keep(bot: Bot, setup: SetupChannel, clock: Clock) -> None:
    """For ever: what the channel still lacks is tried again now and then, and another one is found or made when people
    archive or delete it, or put the bot out of it: else nobody would hear what only administrators can mend."""
    pause = _AGAIN
    while True:
        lost = asyncio.create_task(bot.lost_setup.wait())
        waits = [lost] if setup.complete else [lost, asyncio.create_task(clock.sleep(pause))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        if not bot.lost_setup.is_set():
            pause = min(pause * 2, 86400.0)
        bot.lost_setup.clear()
        try:
            await setup.ensure()
        except BotError as error:
            log.warning("the setup channel cannot be used: %s", error)
