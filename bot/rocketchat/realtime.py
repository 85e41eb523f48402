"""The ear: one websocket, one subscription, every message that the bot may see. Fits `bot.ports.Stream`.

One `stream-room-messages` / `__my_messages__` subscription covers the whole workspace; one per room would meet the rate
limiter at forty rooms, and ends silently when the bot leaves a room (Rocket.Chat 8.3
`server/modules/notifications/notifications.module.ts`). Streams never replay: after each `Ready` the listener catches
up over REST.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from bot.errors import BotError, Busy, LoggedOut, Trouble, Unreachable
from bot.model import UserId
from bot.ports import Clock, Heard, Lost, Ready, Stream
from bot.relay.masking import place_of
from bot.rocketchat import ddp
from bot.rocketchat.credentials import Credentials, Login
from bot.rocketchat.error_ids import error_of_ddp
from bot.rocketchat.parse import clean, heard

log = logging.getLogger(__name__)

_LARGEST_FRAME = 16 * 1024 * 1024


class _Gone(Exception):
    """This connection is of no use any more. `after`: the server said how long to stay away."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


class _LoginRefused(_Gone):
    pass


class _Connect(connect):
    """Follows no redirect: the token belongs to the configured server."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Realtime:
    """Connects, logs in, subscribes, and does so again for ever.

    Times in seconds. `silence`: after this long without a frame it asks for a sign of life; `patience`: after this
    long it gives the socket up; `answer`: time for login and subscription, and for a call; `longest`: the most between
    two tries. `backlog`: events that may wait for a listener that is behind; one more drops the connection, and
    catch-up fetches what came meanwhile.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        clock: Clock,
        *,
        silence: float = 20.0,
        patience: float = 40.0,
        answer: float = 30.0,
        longest: float = 60.0,
        backlog: int = 10_000,
        chance: random.Random | None = None,
    ) -> None:
        self._url = websocket_url(url)
        self._credentials, self._clock = credentials, clock
        self._silence, self._patience, self._answer, self._longest = silence, patience, answer, longest
        self._backlog = backlog
        self._chance = chance or random.SystemRandom()
        self._talk: _Talk | None = None
        self.connections = 0
        """That became ready so far."""
        self.heard_at = 0.0
        """Unix seconds of the last frame; 0: none yet."""
        self.since = 0.0
        """Unix seconds at which the last connection became ready."""
        self._ready_at = math.inf
        self._told = False
        self._renewed = False

    async def events(self) -> AsyncGenerator[Ready | Heard | Lost, None]:
        """The connection is read by a task of its own: a listener that is busy catching up must not miss a ping."""
        queue: asyncio.Queue[Ready | Heard | Lost] = asyncio.Queue(self._backlog)
        task = asyncio.create_task(self._for_ever(queue), name="rocketchat-realtime")
        try:
            while True:
                yield await queue.get()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def call(self, method: str, *params: Any) -> Any:
        """The result of a DDP method. Raises Unreachable while there is no connection, else what was answered."""
        if self._talk is None:
            raise Unreachable("not connected to Rocket.Chat")
        return await self._talk.call(method, params, self._answer)

    async def _for_ever(self, queue: asyncio.Queue[Ready | Heard | Lost]) -> None:
        tries = 0
        while True:
            self._ready_at = math.inf
            try:
                why, after = await self._connection(queue)
            except Exception as error:  # a deaf bot is worse than a noisy one
                name, place = type(error).__name__, place_of(error)
                log.error("the connection to Rocket.Chat broke in an unforeseen way: %s %s", name, place)
                why, after = type(error).__name__, None
            await queue.put(Lost(why))
            tries = 0 if self._ready_at < math.inf else tries + 1
            most = min(self._longest, 2.0 ** min(tries, 16))
            await self._clock.sleep(after if after is not None else self._chance.uniform(0, most))

    async def _connection(self, queue: asyncio.Queue[Ready | Heard | Lost]) -> tuple[str, float | None]:
        """One connection from beginning to end: why it ended, and how long to stay away where that is known."""
        login: Login | None = None
        try:
            login = await self._credentials.current()
            await self._once(login, queue)
        except _LoginRefused as error:
            return str(error), await self._renew(login, error)
        except LoggedOut as error:
            return str(error), self._tell(error)
        except (_Gone, Busy) as error:
            return str(error), error.after
        except (WebSocketException, OSError, TimeoutError, BotError) as error:
            return f"{type(error).__name__}: {error}", None

    async def _once(self, login: Login, queue: asyncio.Queue[Ready | Heard | Lost]) -> NoReturn:
        """One connection, until it ends with an exception."""
        async with _Connect(
            self._url,
            open_timeout=self._answer,
            close_timeout=2,
            ping_interval=None,  # DDP has its own sign of life, which also passes proxies that answer pings themselves
            max_size=_LARGEST_FRAME,
            proxy=None,
        ) as socket:
            talk = _Talk(socket, login)
            try:
                await talk.send(talk.ddp.connect())
                async with asyncio.timeout(self._answer) as until_ready:
                    while True:
                        events = await talk.receive(self._silence, self._patience)
                        self.heard_at = self._clock.now()
                        for event in events:
                            if isinstance(event, Ready):
                                until_ready.reschedule(None)
                                self.connections += 1
                                self._talk, self._ready_at = talk, self._clock.now()
                                self.since = self._ready_at
                                self._told = self._renewed = False
                                await queue.put(event)
                            elif queue.full():
                                raise _Gone("the listener is too far behind")
                            else:
                                queue.put_nowait(event)
            finally:
                self._talk = None
                talk.end()

    async def _renew(self, stale: Login | None, refusal: _LoginRefused) -> float | None:
        """Seconds until the next try. One new token by password; when that is refused too, as with a fixed token."""
        if not self._credentials.renewable or self._renewed:
            self._renewed = False
            return self._tell(refusal)
        try:
            await self._credentials.renew(stale)
        except LoggedOut as error:
            return self._tell(error)
        except Busy as error:
            return error.after
        self._renewed = True
        return 0.0

    def _tell(self, error: Exception) -> float:
        """Said once, then tried now and then: only an administrator can help, and Rocket.Chat blocks eager clients."""
        if not self._told:
            log.error("Rocket.Chat does not accept the bot's login, trying on: %s", error)
            self._told = True
        return self._longest / 2 + self._chance.uniform(0, self._longest / 2)


class _Talk:
    """What is said on one connection."""

    def __init__(self, socket: ClientConnection, login: Login) -> None:
        self.ddp = ddp.Ddp()
        self._socket, self._login = socket, login
        self._login_id = self._sub_id = ""
        self._user = login.user
        self._waiting: dict[str, asyncio.Future[Any]] = {}

    async def send(self, text: str) -> None:
        async with asyncio.timeout(30):
            await self._socket.send(text)

    async def call(self, method: str, params: tuple[Any, ...], timeout: float) -> Any:
        id, text = self.ddp.call(method, *params)
        future = self._waiting[id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout):
                await self._socket.send(text)
                return await future
        except (TimeoutError, WebSocketException, OSError) as error:
            raise Trouble(f"no answer to {method}: {type(error).__name__}") from None
        finally:
            self._waiting.pop(id, None)

    def end(self) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Trouble("the connection was lost before the answer"))

    async def receive(self, silence: float, patience: float) -> list[Ready | Heard]:
        """The next frame and what it means to the listener; answers what is to be answered."""
        frame = await self._frame(silence, patience)
        found = []
        for event in self.ddp.feed(frame) if isinstance(frame, str) else ():
            if (news := await self._take(event)) is not None:
                found.append(news)
        return found

    async def _frame(self, silence: float, patience: float) -> str | bytes:
        try:
            async with asyncio.timeout(silence):
                return await self._socket.recv()
        except TimeoutError:
            await self.send(self.ddp.ping())
        try:
            async with asyncio.timeout(patience - silence):
                return await self._socket.recv()
        except TimeoutError:
            raise _Gone(f"nothing was heard for {patience:g} s") from None

    async def _take(self, event: ddp.Event) -> Ready | Heard | None:
        match event:
            case ddp.Send(text):
                await self.send(text)
            case ddp.Connected():
                self._login_id, text = self.ddp.call("login", {"resume": self._login.token})
                await self.send(text)
            case ddp.Failed(version):
                raise _Gone(f"the server speaks only version {version} of DDP")
            case ddp.Result(id, value, error) if id == self._login_id:
                await self._logged_in(value, error)
            case ddp.Result(id, value, error) if (future := self._waiting.get(id)) and not future.done():
                if error is None:
                    future.set_result(value)
                else:
                    future.set_exception(error_of_ddp(error))
            case ddp.Ready(id) if id == self._sub_id:
                return Ready(self._user)
            case ddp.NoSub(id, error) if id == self._sub_id:
                raise _Gone(f"the subscription ended: {error or 'no reason given'}", error.wait if error else None)
            case ddp.Changed("stream-room-messages", _, args):
                return heard(args)
            case ddp.ServerError(reason):
                log.warning("Rocket.Chat did not understand a frame: %s", reason)
        return None

    async def _logged_in(self, value: Any, error: ddp.DdpError | None) -> None:
        if error is not None:
            refused = error.code in ("403", "401")
            raise (_LoginRefused if refused else _Gone)(f"the login was refused: {error}", error.wait)
        self._user = UserId(clean(value.get("id")) if isinstance(value, dict) else "") or self._login.user
        self._sub_id, text = self.ddp.subscribe("stream-room-messages", "__my_messages__", False)
        await self.send(text)


def websocket_url(url: str) -> str:
    """`https://host/chat` → `wss://host/chat/websocket`."""
    parts = urlsplit(url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + "/websocket", "", ""))


if TYPE_CHECKING:

    def _fits(realtime: Realtime) -> Stream:
        return realtime
