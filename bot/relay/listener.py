"""The ear: everything that people write in Rocket.Chat becomes an entry, live and after every gap.

Streams never replay, and a cluster's bus can drop an event without dropping the socket, so after every reconnect and
every few minutes besides, what changed since the last mark is read over REST. Both ways meet in the entry's key
(`rc:<_id>`, `chat:<_id>`), so an overlap costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial

from bot.chatops import command
from bot.errors import BotError, NotAllowed, Refused
from bot.logs import about
from bot.model import MessageId, RoomId, UserId
from bot.ports import Clock, Entry, Heard, Journal, Json, Lost, Ready, Stream, Workspace
from bot.relay.afterwards import Afterwards
from bot.relay.conversations import Conversations
from bot.relay.notices import SETUP, notice
from bot.relay.together import together
from bot.relay.unannounced import LATE, Unannounced
from bot.rocketchat.parse import changed_at, is_for_customer, is_only_quote, was_edited

log = logging.getLogger(__name__)

MARK = "heard"
FLOOR = "nothing before"
"""Mark that a restore leaves: what agents wrote before this moment (unix seconds) counts as sent, by the bot that the
backup was made of."""
MARGIN = 60.0
"""Seconds read again before the mark: link previews delay events by up to 10 s, and servers' clocks differ a little."""
PERIOD = 180.0
_OLDEST_LIVE = 3600.0
"""Seconds. Rocket.Chat announces an old message again when somebody reacts to it: one that is older than this and was
never stored here is not taken for a new one."""
_COMMAND_LIFE = 900.0
"""A command that was typed longer ago than this while the bot was away is not acted upon any more."""
_BATCH = 200
_TOGETHER = 8
"""Rooms that are read at once: messages of different rooms have no order among them."""
_RETRY = 5.0
_PATIENCE = 6
"""After so many catch-ups that failed, live messages are stored without what was missed before them."""


class Listener:
    def __init__(
        self,
        *,
        stream: Stream,
        journal: Journal,
        workspace: Workspace,
        conversations: Conversations,
        clock: Clock,
        bot_username: Callable[[], str],
        introduced: asyncio.Event,
        setup_room: Callable[[], Awaitable[RoomId | None]],
        form_rooms: Callable[[], Awaitable[list[RoomId]]],
    ) -> None:
        self._stream = stream
        self._journal = journal
        self._workspace = workspace
        self._conversations = conversations
        self._clock = clock
        self._bot_username = bot_username
        self._introduced = introduced
        """Set once `bot_username` knows. Before, the bot's own reactions would be taken for an agent's."""
        self._afterwards = Afterwards(bot_username)
        self._unannounced = Unannounced(journal, workspace)
        self._setup_room = setup_room
        self._form_rooms = form_rooms
        """Rooms in which somebody has a form open: their answers must survive a gap too."""
        self._queue: asyncio.Queue[Heard] = asyncio.Queue(maxsize=10_000)
        self._bot = UserId("")
        self._catch_up_now = asyncio.Event()
        self._newest = 0.0
        """The latest moment of the server's clock that was seen. The local clock may differ, and is never used."""
        self._floor = 0.0
        self._owes = True
        """A gap has not been read over REST yet."""
        self._marked = False
        self._meeting = asyncio.Lock()
        """Of two rooms of one customer that are news to us, the one that changed last is where the customer is."""
        self._gap = asyncio.Event()
        """Set while there is no gap: what was missed stands in the journal, so what comes live may follow it."""
        self.connected = False
        self._away = ""
        """Why there is no connection, so that each reason is said once and not with every try."""
        self.caught_up = asyncio.Event()
        """Set once everything that was missed before this start has been read."""

    async def run(self) -> None:
        self._floor = float(await self._journal.mark(FLOOR) or 0.0)
        await self._afterwards.learn(self._journal)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._store())
            tasks.create_task(self._catch_up_for_ever())
            async with aclosing(self._stream.events()) as events:
                async for event in events:
                    await self._take(event)

    async def _take(self, event: Ready | Heard | Lost) -> None:
        match event:
            case Ready(user):
                self._bot, self.connected = user, True
                if self._away:
                    log.info("connected to Rocket.Chat")
                    self._away = ""
                self._owes = True
                self._gap.clear()
                self._catch_up_now.set()
            case Lost(why):
                self.connected = False
                if why != self._away:
                    log.warning("no connection to Rocket.Chat, trying on: %s", why)
                    self._away = why
            case Heard():
                await self._queue.put(event)

    async def _store(self) -> None:
        """Takes what has come in since the last commit and stores it with the next."""
        while True:
            heard = [await self._queue.get()]
            await self._gap.wait()
            while len(heard) < _BATCH and not self._queue.empty():
                heard.append(self._queue.get_nowait())
            entries = [entry for one in heard for entry in await self._entries(one)]
            before = await self._unannounced.before(entries)
            entries = [*self._missed(before, self._newest - LATE), *entries]
            if entries:
                await self._journal.append(*entries)
                await self._afterwards.note(self._journal, entries)
                if log.isEnabledFor(logging.DEBUG):
                    for entry in entries:
                        with about(entry.key):
                            log.debug("stored %s", entry.kind)
            self._newest = max([self._newest, *(changed_at(one.message) for one in heard)])
            if not self._marked and not self._owes:
                await self._mark_first(self._newest)

    async def _entries(self, heard: Heard) -> list[Entry]:
        message = heard.message
        room = RoomId(str(message.get("rid") or ""))
        called = self._calls_the_bot(message)
        if heard.room_type == "l" and not called:
            if await self._conversations.surely_foreign(room):
                return []
            news = _concerns_customer(message, self._bot) and self._is_news(message)
            return [*([for_customer(message)] if news else []), *self._afterwards.entries(message, self._bot)]
        if heard.room_type == "d" or called or room == await self._setup_room():
            entry = for_bot(message, heard.room_type, self._bot)
            return [entry] if entry is not None else []
        return []

    def _is_news(self, message: Json) -> bool:
        return _written(message) > max(self._newest - _OLDEST_LIVE, self._floor)

    def _calls_the_bot(self, message: Json) -> bool:
        """An agent who calls the bot from a customer's room does not mean the customer."""
        return command.read(str(message.get("msg") or ""), self._bot_username()) is not None

    async def _catch_up_for_ever(self) -> None:
        await self._catch_up_now.wait()
        await self._introduced.wait()
        failed = 0
        while True:
            self._catch_up_now.clear()
            try:
                await self.catch_up()
                failed = 0
                self.caught_up.set()
                if self._catch_up_now.is_set():
                    continue  # the connection was lost meanwhile, and what that gap swallowed comes first too
                self._owes = False
            except Refused as error:
                log.warning("Rocket.Chat does not let the bot read what it missed: %s", error)
                if isinstance(error, NotAllowed):
                    await self._journal.append(notice("may not see rooms", SETUP, "notice.may_not_see_rooms"))
                self.caught_up.set()  # asking again would not help, and live messages still come
            except BotError as error:
                log.warning("catch-up failed, again in a while: %s", error)
                failed += 1
                await self._clock.sleep(_RETRY)
                self._catch_up_now.set()
                if failed < _PATIENCE:
                    continue  # live messages wait for the earlier ones, for order; but not for ever
            self._gap.set()
            pause = asyncio.create_task(self._clock.sleep(PERIOD))
            again = asyncio.create_task(self._catch_up_now.wait())
            await asyncio.wait((pause, again), return_when=asyncio.FIRST_COMPLETED)
            pause.cancel()
            again.cancel()
            await asyncio.gather(pause, again, return_exceptions=True)

    async def catch_up(self) -> None:
        """Reads over REST what changed since the mark, whether or not it was heard live.

        The mark moves to what was known of the server's clock when the reading began: live events never move it, so
        one that the bus dropped is found here. It stays when a conversation was refused; the others are read all the
        same.
        """
        stored = await self._journal.mark(MARK)
        self._marked = stored is not None
        began = self._newest
        since = float(stored) - MARGIN if stored is not None else await self._first_moment()
        refused: list[Refused] = []

        async def read(room: RoomId) -> None:
            try:
                await self._read_conversation(since, room)
            except Refused as error:
                refused.append(error)

        await together(read, await self._workspace.rooms_since(since), _TOGETHER)
        setup = await self._setup_room()
        rooms = {*await self._form_rooms(), *await self._direct_rooms(since), *([setup] if setup else [])}
        await together(partial(self._read_commands, since), rooms, _TOGETHER)
        if refused:
            raise refused[0]
        if stored is None:
            await self._mark_first(self._newest)
        else:
            await self._journal.set_mark(MARK, str(max(float(stored), began or self._newest)), forward=True)

    async def _read_conversation(self, since: float, room: RoomId) -> None:
        async with self._meeting:
            if await self._conversations.surely_foreign(room) or await self._conversations.of_room(room) is None:
                return
        missed = await self._messages(room, since)
        entries = self._missed(missed, since)
        await self._journal.append(*entries)
        await self._afterwards.note(self._journal, entries)

    async def _read_commands(self, since: float, room: RoomId) -> None:
        try:
            missed = await self._messages(room, since)
        except Refused as error:  # the bot was removed from it: nobody there waits for an answer
            log.warning("Rocket.Chat does not let the bot read a room of commands: %s", error)
            return
        young = [one for one in missed if _written(one) > max(self._newest - _COMMAND_LIFE, self._floor)]
        kind = "p" if room == await self._setup_room() else "d"
        entries = [for_bot(message, kind, self._bot) for message in young]
        await self._journal.append(*(entry for entry in entries if entry is not None))

    async def _messages(self, room: RoomId, since: float) -> list[Json]:
        missed = await self._workspace.messages_since(room, since)
        self._newest = max([self._newest, *map(changed_at, missed)])
        return missed

    async def _direct_rooms(self, since: float) -> list[RoomId]:
        """Where somebody may have typed a command. What customers wait for does not hang on it."""
        try:
            return await self._workspace.direct_rooms_since(since)
        except Refused as error:
            log.warning("Rocket.Chat does not list the bot's direct rooms: %s", error)
            return []

    async def _first_moment(self) -> float:
        """Where to begin without a mark: at the last thing that happened in the setup channel, else with what changes
        from now on. No conversation of ours can be older than that channel."""
        setup = await self._setup_room()
        told = await self._workspace.messages_since(setup, 0.0) if setup else []
        return max(map(changed_at, told), default=self._clock.now()) - MARGIN

    async def _mark_first(self, moment: float) -> None:
        if moment:
            self._marked = True
            await self._journal.set_mark(MARK, str(moment), forward=True)

    def _missed(self, messages: list[Json], since: float) -> list[Entry]:
        """As live, and besides: a message that was written *and* edited in the gap goes out as it now stands."""
        entries: list[Entry] = []
        for found in messages:
            message = found
            if was_edited(found) and _written(found) >= since:
                message = {name: value for name, value in found.items() if name not in ("editedAt", "editedBy")}
            if _concerns_customer(message, self._bot) and _written(message) > self._floor:
                called = self._calls_the_bot(message)
                entry = for_bot(message, "l", self._bot) if called else for_customer(message)
                entries += [entry] if entry is not None else []
            entries += self._afterwards.entries(message, self._bot)
        return entries


def _written(message: Json) -> float:
    return changed_at({"ts": message.get("ts")})


def _concerns_customer(message: Json, bot: UserId) -> bool:
    """It is for the customer, or its author has to hear that it cannot be."""
    return is_for_customer(message, bot) or is_only_quote(message, bot)


def for_customer(message: Json) -> Entry:
    at_ms = int(changed_at({"ts": message.get("ts")}) * 1000)
    return Entry(f"rc:{message['_id']}", f"out:{message['rid']}", "rc.message", {"message": message}, at_ms)


def for_bot(message: Json, room_type: str, bot: UserId) -> Entry | None:
    """A person's message that the bot may have to answer; None for system messages, edits, and the bot's own.

    None also for what an integration or another bot posts (`bot`): it bears the name of a user, often an
    administrator's, but its words may be anybody's, and two bots that answer each other never end."""
    if message.get("bot") or not is_for_customer(message, bot):
        return None
    author = MessageId(str(message["u"]["_id"]))
    at_ms = int(changed_at({"ts": message.get("ts")}) * 1000)
    body = {"message": message, "room_type": room_type}
    return Entry(f"chat:{message['_id']}", f"cmd:{message['rid']}:{author}", "chat.message", body, at_ms)
