"""The ear against a websocket server that follows a script: what is on the wire, frame by frame."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from bot.errors import NotAllowed, NotFound, RateLimited, Trouble, Unreachable
from bot.model import UserId
from bot.ports import Heard, Lost, Ready
from bot.rocketchat.credentials import Credentials
from bot.rocketchat.realtime import Realtime, websocket_url

Script = Callable[["Line"], Awaitable[None]]
NEVER = 60.0
TOKEN = "s3cret-t0ken"


class NoWait:
    """A clock on which waiting takes no time and is written down."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    def now(self) -> float:
        return 1000.0

    async def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        await asyncio.sleep(0)


class Line:
    """The server's end of one connection."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket

    async def say(self, **frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def hear(self, msg: str) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(await self.socket.recv())
        assert frame["msg"] == msg, frame
        return frame

    async def greet(self) -> None:
        await self.hear("connect")
        await self.say(msg="connected", session="s")

    async def log_in(self, token: str = TOKEN) -> None:
        await self.greet()
        login = await self.hear("method")
        assert (login["method"], login["params"]) == ("login", [{"resume": token}])
        result = {"id": "bot1", "token": token, "tokenExpires": {"$date": None}}
        await self.say(msg="result", id=login["id"], result=result)
        await self.say(msg="updated", methods=[login["id"]])

    async def subscribe(self) -> str:
        await self.log_in()
        sub = await self.hear("sub")
        assert (sub["name"], sub["params"]) == ("stream-room-messages", ["__my_messages__", False])
        await self.say(msg="ready", subs=[sub["id"]])
        id: str = sub["id"]
        return id

    async def event(self, id: str, msg: str = "hi") -> None:
        message = {"_id": id, "rid": "r1", "msg": msg, "u": {"_id": "agt"}}
        args = [message, {"roomParticipant": False, "roomType": "l"}]
        fields = {"eventName": "__my_messages__", "args": args}
        await self.say(msg="changed", collection="stream-room-messages", id="id", fields=fields)

    async def stay(self) -> None:
        await self.socket.wait_closed()


async def stays(line: Line) -> None:
    await line.subscribe()
    await line.stay()


@asynccontextmanager
async def server(*scripts: Script) -> AsyncIterator[str]:
    """Follows one script per connection, the last one for ever after. A failed script fails the test."""
    left, failures = list(scripts), []

    async def play(socket: ServerConnection) -> None:
        script = left.pop(0) if len(left) > 1 else left[0]
        try:
            await script(Line(socket))
        except ConnectionClosed:
            pass
        except AssertionError as error:
            failures.append(error)

    async with serve(play, "127.0.0.1", 0) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    assert not failures, failures


@asynccontextmanager
async def ear(url: str, **settings: Any) -> AsyncIterator[tuple[Realtime, Any, NoWait]]:
    clock = NoWait()
    async with ClientSession() as session:
        credentials = Credentials(url, session, clock, user_id="bot1", token=TOKEN)
        realtime = Realtime(url, credentials, clock, chance=random.Random(1), **settings)
        async with asyncio.timeout(10), aclosing(realtime.events()) as events:
            yield realtime, events, clock


def test_the_address_of_the_socket_keeps_the_path_of_the_workspace() -> None:
    assert websocket_url("https://chat.example/team/") == "wss://chat.example/team/websocket"
    assert websocket_url("http://127.0.0.1:3000") == "ws://127.0.0.1:3000/websocket"


async def test_an_event_after_login_and_subscription_is_heard() -> None:
    async def script(line: Line) -> None:
        await line.say(server_id="0", msg="server_id")
        await line.say(msg="ping", id="early")
        frames = [json.loads(await line.socket.recv()) for _ in range(2)]
        assert [frame["msg"] for frame in frames] == ["connect", "pong"] and frames[1]["id"] == "early"
        await line.say(msg="connected", session="s")
        login = await line.hear("method")
        await line.say(msg="updated", methods=[login["id"]])
        await line.say(msg="result", id=login["id"], result={"id": "bot1", "token": TOKEN, "type": "resume"})
        sub = await line.hear("sub")
        await line.say(msg="ready", subs=[sub["id"]])
        await line.socket.send(b"\x00binary")
        await line.socket.send("no json")
        await line.event("m1")
        await line.stay()

    async with server(script) as url, ear(url) as (_, events, _clock):
        assert await anext(events) == Ready(UserId("bot1"))
        event = await anext(events)
        assert isinstance(event, Heard) and (event.message["_id"], event.room_type) == ("m1", "l")


async def test_after_a_lost_connection_it_logs_in_and_subscribes_again() -> None:
    async def breaks(line: Line) -> None:
        await line.subscribe()
        await line.socket.close(1001)

    async with server(breaks, breaks, stays) as url, ear(url) as (_, events, clock):
        kinds = [type(await anext(events)) for _ in range(5)]
        assert kinds == [Ready, Lost, Ready, Lost, Ready]
        assert len(clock.waited) == 2


async def test_a_server_that_stays_away_is_tried_again_ever_more_rarely_and_never_in_step() -> None:
    async with server(stays) as url:
        pass
    async with ear(url, longest=8.0) as (realtime, events, clock):
        for _ in range(40):
            assert isinstance(await anext(events), Lost)
        waits = clock.waited[:39]
        assert all(wait <= min(8.0, 2.0**n) for n, wait in enumerate(waits, start=1))
        assert len(set(waits)) == len(waits) and max(waits) > 4.0
        with pytest.raises(Unreachable):
            await realtime.call("getUserRoles")


async def test_a_silent_server_is_asked_for_a_sign_of_life_and_stays_when_it_gives_one() -> None:
    async def quiet(line: Line) -> None:
        await line.subscribe()
        await line.hear("ping")
        await line.say(msg="pong")
        await line.hear("ping")
        await line.event("m1")
        await line.stay()

    async with server(quiet) as url, ear(url, silence=0.02, patience=NEVER) as (_, events, _clock):
        assert [type(await anext(events)) for _ in range(2)] == [Ready, Heard]


async def test_a_connection_that_gives_no_sign_of_life_is_given_up() -> None:
    async with server(stays) as url, ear(url, silence=0.02, patience=0.04) as (_, events, _clock):
        assert isinstance(await anext(events), Ready)
        lost = await anext(events)
        assert lost == Lost("nothing was heard for 0.04 s")
        assert isinstance(await anext(events), Ready)


async def test_a_server_that_pings_but_never_answers_the_login_is_given_up() -> None:
    async def deaf(line: Line) -> None:
        await line.greet()
        while True:
            await line.say(msg="ping")
            await line.socket.recv()

    async with server(deaf, stays) as url, ear(url, answer=0.2) as (_, events, _clock):
        lost = await anext(events)
        assert isinstance(lost, Lost) and "Timeout" in lost.why
        assert isinstance(await anext(events), Ready)


async def test_a_refused_fixed_token_is_reported_once_and_tried_on_with_long_pauses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def refuses(line: Line) -> None:
        await line.greet()
        login = await line.hear("method")
        error = {"isClientSafe": True, "error": 403, "reason": "You've been logged out by the server."}
        await line.say(msg="result", id=login["id"], error=error)
        await line.stay()

    caplog.set_level(logging.ERROR)
    async with server(refuses, refuses, refuses, stays) as url, ear(url) as (_, events, clock):
        kinds = [type(await anext(events)) for _ in range(4)]
        assert kinds == [Lost, Lost, Lost, Ready]
        assert all(30.0 <= wait <= 60.0 for wait in clock.waited)
    assert len(caplog.records) == 1
    assert TOKEN not in caplog.text


async def test_the_rate_limiter_of_the_subscription_is_obeyed() -> None:
    async def slow_down(line: Line) -> None:
        await line.log_in()
        sub = await line.hear("sub")
        error = {"error": "too-many-requests", "details": {"timeToReset": 7500}}
        await line.say(msg="nosub", id=sub["id"], error=error)
        await line.stay()

    async with server(slow_down, stays) as url, ear(url) as (_, events, clock):
        assert [type(await anext(events)) for _ in range(2)] == [Lost, Ready]
        assert clock.waited == [7.5]


async def test_a_subscription_that_the_server_ends_is_made_again() -> None:
    async def ends(line: Line) -> None:
        await line.say(msg="nosub", id=await line.subscribe())
        await line.stay()

    async with server(ends, stays) as url, ear(url) as (_, events, _clock):
        assert [type(await anext(events)) for _ in range(3)] == [Ready, Lost, Ready]


async def test_a_server_of_another_version_is_named() -> None:
    async def old(line: Line) -> None:
        await line.hear("connect")
        await line.say(msg="failed", version="pre9")

    async with server(old) as url, ear(url) as (_, events, _clock):
        assert await anext(events) == Lost("the server speaks only version pre9 of DDP")


async def test_a_method_is_answered_and_its_refusals_are_ours() -> None:
    answers: list[dict[str, Any]] = [
        {"result": [{"_id": "u1", "roles": ["admin"]}]},
        {"error": {"error": 404, "reason": "Method 'x' not found"}},
        {"error": {"error": "not-allowed"}},
        {"error": {"error": "too-many-requests", "details": {"timeToReset": 3000}}},
    ]

    async def script(line: Line) -> None:
        await line.subscribe()
        for answer in answers:
            call = await line.hear("method")
            await line.say(msg="result", id=call["id"], **answer)
        await line.hear("method")
        await line.socket.close()

    async with server(script, stays) as url, ear(url) as (realtime, events, _clock):
        assert isinstance(await anext(events), Ready)
        assert await realtime.call("getUserRoles") == [{"_id": "u1", "roles": ["admin"]}]
        for kind in (NotFound, NotAllowed):
            with pytest.raises(kind):
                await realtime.call("x")
        with pytest.raises(RateLimited) as limited:
            await realtime.call("x")
        assert limited.value.after == 3.0
        with pytest.raises(Trouble):
            await realtime.call("lost")


async def test_a_listener_that_is_busy_misses_no_event_and_no_ping() -> None:
    ponged = asyncio.Event()

    async def busy(line: Line) -> None:
        await line.subscribe()
        for n in range(300):
            await line.event(f"m{n}")
        await line.say(msg="ping")
        await line.hear("pong")
        ponged.set()
        await line.stay()

    async with server(busy) as url, ear(url) as (_, events, _clock):
        assert isinstance(await anext(events), Ready)
        await ponged.wait()  # the listener takes nothing meanwhile
        heard = [await anext(events) for _ in range(300)]
        assert [event.message["_id"] for event in heard] == [f"m{n}" for n in range(300)]


async def test_a_listener_that_is_too_far_behind_is_told_to_catch_up() -> None:
    async def flood(line: Line) -> None:
        await line.subscribe()
        for n in range(50):
            await line.event(f"m{n}")
        await line.stay()

    async with server(flood, stays) as url, ear(url, backlog=10) as (_, events, _clock):
        assert isinstance(await anext(events), Ready)
        kinds: list[type] = []
        while Lost not in kinds:
            kinds.append(type(await anext(events)))
        assert kinds.count(Heard) < 50
        assert isinstance(await anext(events), Ready)


async def test_a_frame_of_monstrous_size_ends_the_connection_and_not_the_bot() -> None:
    async def monster(line: Line) -> None:
        await line.subscribe()
        await line.event("m1", "x" * (17 * 1024 * 1024))
        await line.stay()

    async with server(monster, stays) as url, ear(url) as (_, events, _clock):
        assert [type(await anext(events)) for _ in range(3)] == [Ready, Lost, Ready]


async def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    def elsewhere(socket: ServerConnection, request: Request) -> Response:
        asked.append(request.path)
        return Response(302, "Found", Headers(Location="/elsewhere/websocket"), b"")

    async def play(socket: ServerConnection) -> None:
        raise AssertionError("no connection may come about")

    async with serve(play, "127.0.0.1", 0, process_request=elsewhere) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        async with ear(f"http://127.0.0.1:{port}") as (_, events, _clock):
            assert isinstance(await anext(events), Lost)
            assert set(asked) == {"/websocket"}


async def test_a_renewed_token_that_is_refused_too_does_not_make_login_follow_login() -> None:
    async def refuses(line: Line) -> None:
        await line.greet()
        login = await line.hear("method")
        await line.say(msg="result", id=login["id"], error={"error": 403, "reason": "no"})
        await line.stay()

    given = 0

    async def grants(request: web.Request) -> web.Response:
        nonlocal given
        given += 1
        return web.json_response({"status": "success", "data": {"userId": "bot1", "authToken": f"token-{given}"}})

    app, clock = web.Application(), NoWait()
    app.router.add_post("/api/v1/login", grants)
    async with TestServer(app) as rest, server(refuses) as url, ClientSession() as session:
        credentials = Credentials(str(rest.make_url("")), session, clock, username="bot", password="s3cret")
        async with asyncio.timeout(10), aclosing(Realtime(url, credentials, clock).events()) as events:
            for _ in range(5):
                assert isinstance(await anext(events), Lost)
    assert given == 4  # the first, and one after every long pause
    assert clock.waited[0] == clock.waited[2] == 0.0
    assert all(wait >= 30.0 for wait in clock.waited[1:4:2])
