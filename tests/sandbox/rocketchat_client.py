"""Plain clients for the Rocket.Chat simulator's tests: nothing of the bot, only aiohttp and websockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import websockets

from bot.sandbox.rocketchat import RocketChatSandbox, User

Doc = dict[str, Any]


class FakeClock:
    def __init__(self, now: float = 1_772_359_200.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Rest:
    """REST as one person, or as nobody."""

    def __init__(self, rc: RocketChatSandbox, session: aiohttp.ClientSession, user: User | None = None) -> None:
        self.session, self.headers = session, dict[str, str]()
        if user is not None:
            self.headers = {"X-User-Id": user.id, "X-Auth-Token": rc.token_for(user)}
        self.base, self.last_headers = rc.url + "/api/v1/", dict[str, str]()

    async def call(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **kwargs: Any
    ) -> tuple[int, Doc]:
        sent = {**self.headers, **(headers or {})}
        async with self.session.request(method, self.base + path, headers=sent, **kwargs) as answer:
            self.last_headers = dict(answer.headers)
            text = await answer.text()
            return answer.status, json.loads(text) if text else {}

    async def get(self, path: str, **query: Any) -> tuple[int, Doc]:
        return await self.call("GET", path, params=query)

    async def post(self, path: str, body: Any = None, **headers: str) -> tuple[int, Doc]:
        return await self.call(
            "POST", path, json=body or {}, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    async def ok(self, method: str, path: str, body: Any = None, **query: Any) -> Doc:
        kwargs = {"params": query} if method == "GET" else {"json": body or {}}
        status, answer = await self.call(method, path, **kwargs)
        assert status == 200, (path, status, answer)
        assert answer["success"] is True
        return answer


class World:
    """A sandbox with the people that most tests need: the bot, an agent of a department, an admin."""

    def __init__(self, rc: RocketChatSandbox, session: aiohttp.ClientSession) -> None:
        self.rc, self.session = rc, session
        self.bot = rc.add_user("wa.bot", name="WhatsApp", roles=("bot", "livechat-manager"), password="bot secret")
        self.anna = rc.add_user("anna", name="Anna Agent", roles=("user", "livechat-agent"), password="anna secret")
        self.root = rc.add_user("root", name="Root", roles=("user", "admin"), password="root secret")
        self.sales = rc.add_department("Sales", agents=[self.anna])
        self.as_bot, self.as_anna, self.as_root = (self.rest(user) for user in (self.bot, self.anna, self.root))
        self.as_nobody = self.rest()

    def rest(self, user: User | None = None) -> Rest:
        return Rest(self.rc, self.session, user)

    async def chat(self, token: str = "tok-1", name: str = "Maria", **visitor: Any) -> str:
        """A customer with an open room; returns its id."""
        await self.as_bot.ok("POST", "livechat/visitor", {"visitor": {"token": token, "name": name, **visitor}})
        return str((await self.as_bot.ok("GET", "livechat/room", token=token))["room"]["_id"])


@asynccontextmanager
async def workspace(**options: Any) -> AsyncIterator[World]:
    async with RocketChatSandbox(**options) as rc, aiohttp.ClientSession() as session:
        yield World(rc, session)


class Ddp:
    """A websocket that keeps every frame."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket, self.frames, self._ids = socket, list[Doc](), 0

    async def send(self, frame: Any) -> None:
        await self.socket.send(frame if isinstance(frame, str) else json.dumps(frame))

    async def next(self, fits: Callable[[Doc], bool] = lambda frame: True) -> Doc:
        """The next frame that fits; the others are kept in `frames` all the same."""
        async with asyncio.timeout(5):
            while True:
                frame: Doc = json.loads(await self.socket.recv())
                self.frames.append(frame)
                if fits(frame):
                    return frame

    async def connect(self) -> Doc:
        await self.send({"msg": "connect", "version": "1", "support": ["1", "pre2", "pre1"]})
        return await self.next(lambda frame: frame["msg"] == "connected")

    async def method(self, name: str, *params: Any) -> Doc:
        """The `result` frame."""
        self._ids += 1
        id = f"m{self._ids}"
        await self.send({"msg": "method", "method": name, "id": id, "params": list(params)})
        return await self.next(lambda frame: frame["msg"] == "result" and frame["id"] == id)

    async def sub(self, name: str, *params: Any) -> Doc:
        """The `ready` or `nosub` frame."""
        self._ids += 1
        id = f"s{self._ids}"
        await self.send({"msg": "sub", "id": id, "name": name, "params": list(params)})
        return await self.next(
            lambda frame: frame.get("subs") == [id] or (frame["msg"] == "nosub" and frame["id"] == id)
        )

    async def event(self, stream: str = "stream-room-messages") -> Doc:
        """`fields` of the next event of a stream."""
        frame = await self.next(lambda frame: frame["msg"] == "changed" and frame["collection"] == stream)
        assert frame["id"] == "id"
        fields: Doc = frame["fields"]
        return fields

    async def quiet(self) -> list[Doc]:
        """Everything that comes until the server has answered a ping: afterwards nothing more is on its way."""
        start = len(self.frames)
        self._ids += 1
        await self.send({"msg": "ping", "id": f"p{self._ids}"})
        await self.next(lambda frame: frame == {"msg": "pong", "id": f"p{self._ids}"})
        return self.frames[start:-1]


@asynccontextmanager
async def ddp(rc: RocketChatSandbox, token: str | None = None) -> AsyncIterator[Ddp]:
    """A connected socket, logged in when a token is given."""
    async with raw_ddp(rc) as client:
        await client.connect()
        if token is not None:
            result = await client.method("login", {"resume": token})
            assert "error" not in result, result
        yield client


@asynccontextmanager
async def raw_ddp(rc: RocketChatSandbox) -> AsyncIterator[Ddp]:
    async with websockets.connect(rc.url.replace("http", "ws") + "/websocket") as socket:
        yield Ddp(socket)
