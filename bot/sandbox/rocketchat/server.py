"""The simulator as tests and the demo hold it: one HTTP server on 127.0.0.1 with REST, files and the websocket."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, TypeVar

from aiohttp import web

from bot.sandbox.levers import DROPPED, Levers
from bot.sandbox.rocketchat import rest_chat, rest_files, rest_omnichannel, rest_people, rest_rooms, rest_visitor
from bot.sandbox.rocketchat.core import Core
from bot.sandbox.rocketchat.ddp import Flavour, Hub
from bot.sandbox.rocketchat.people import People
from bot.sandbox.rocketchat.rest import Call, Rest
from bot.sandbox.rocketchat.settings import Settings
from bot.sandbox.rocketchat.state import Department, User, World
from bot.sandbox.rocketchat.table import Table
from bot.sandbox.rocketchat.wire import Doc, copied, new_id

T = TypeVar("T")
ROUTES = [
    *rest_chat.ROUTES,
    *rest_rooms.ROUTES,
    *rest_files.ROUTES,
    *rest_people.ROUTES,
    *rest_visitor.ROUTES,
    *rest_omnichannel.ROUTES,
]


class RocketChatSandbox(People):
    """A small Rocket.Chat 8.3 in memory.

    `core` is the inside, for knobs: `core.livechat.unique_rooms`, `.close_before_send`, `.blocked_visitors`,
    `core.files.redirect_to`, `core.files.work_on_next`, `core.world.latency`, `core.world.permissions`,
    `hub.idle_seconds`."""

    def __init__(
        self,
        flavour: Flavour = "monolith",
        site_url: str | None = None,
        port: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        world = World(clock)
        super().__init__(Core.build(world))
        self.flavour, self._site_url, self._port = flavour, site_url, port
        self.levers = Levers()
        self.calls: list[Call] = []
        self.hub = Hub(self.core, flavour)
        self.rest = Rest(self.core, ROUTES)
        self.url = ""
        self._runner: web.AppRunner | None = None
        self._waiting: set[asyncio.Event] = set()
        world.users["rocket.cat"] = User("rocket.cat", "rocket.cat", "Rocket.Cat", ("bot",))
        world.listen(lambda kind, document: self._wake())

    # --- life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        app = web.Application(client_max_size=256 * 1024 * 1024)
        app.router.add_get("/websocket", self._socket)
        app.router.add_get("/websocket/", self._socket)
        app.router.add_route("*", "/{path:.*}", self._request)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        self.settings["Site_Url"] = self._site_url or self.url

    async def stop(self) -> None:
        await self.hub.cut()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> RocketChatSandbox:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # --- the wire -----------------------------------------------------------------------------------------------

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        answer, _ = await self.levers.around(request, self.hub.serve)
        return answer

    async def _request(self, request: web.Request) -> web.StreamResponse:
        body: Any = None
        if request.content_type == "application/json":
            try:
                body = json.loads(await request.text() or "null")
            except ValueError:
                body = await request.text()
        known = self.core.logins.of_headers(request.headers)
        status = DROPPED
        try:
            answer, status = await self.levers.around(request, self._route)
        finally:
            self.calls.append(
                Call(
                    request.method,
                    request.path,
                    dict(request.query),
                    body,
                    status,
                    known[0].id if known else None,
                    self.core.world.clock(),
                )
            )
            self._wake()
        return answer

    async def _route(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path
        if path.startswith("/api/v1/"):
            return await self.rest.handle(request, path.removeprefix("/api/v1/"))
        if path == "/api/info":
            return await self.rest.handle(request, "info")
        if path.startswith("/file-upload"):
            return self._download(request)
        if path in ("/livez", "/readyz"):
            return web.Response(text="ok")
        return web.Response(status=404)

    def _download(self, request: web.Request) -> web.Response:
        """GET /file-upload/:id/:name; only the id counts. `rc_uid` and `rc_token` of the query win over headers."""
        parts = request.path.split("/")
        file = self.core.files.stored.get(parts[2] if len(parts) > 2 else "")
        if file is None:
            return web.Response(status=404)
        query = {**request.cookies, **request.query}
        shown = {"X-User-Id": query.get("rc_uid", ""), "X-Auth-Token": query.get("rc_token", "")}
        known = self.core.logins.of_headers(shown if query.get("rc_uid") else request.headers)
        if not self.core.files.may_download(file, query, known[0] if known else None):
            return web.Response(status=403)
        if self.core.files.redirect_to:
            return web.Response(status=302, headers={"Location": f"{self.core.files.redirect_to}/{file.id}"})
        name = file.path.rsplit("/", 1)[1]
        place = "inline" if query.get("contentDisposition") == "inline" else "attachment"
        return web.Response(
            body=file.data,
            headers={
                "Content-Type": file.mime or "application/octet-stream",
                "Content-Disposition": f"{place}; filename*=UTF-8''{name}",
                "Content-Security-Policy": "default-src 'none'",
                "Cache-Control": "max-age=31536000",
            },
        )

    # --- furniture ----------------------------------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        return self.core.world.settings

    @property
    def rooms(self) -> Table[str]:
        return self.core.world.rooms

    def room_named(self, name: str) -> Doc | None:
        """A group or channel by name, a livechat room by what agents see as its name (the newest)."""
        found = [room for room in self.rooms.values() if name in (room.get("name"), room.get("fname"))]
        return found[-1] if found else None

    def messages(self, rid: str) -> list[Doc]:
        """Full documents, oldest first; copies."""
        return [copied(message) for message in self.core.world.of_room(rid)]

    def add_user(
        self,
        username: str,
        *,
        name: str = "",
        roles: Iterable[str] = ("user",),
        password: str | None = None,
        email: str = "",
        available: bool = True,
    ) -> User:
        user = User(new_id(), username, name or username, tuple(roles), password, email, available)
        self.core.world.users[user.id] = user
        return user

    def token_for(self, user: User, *, bypass_two_factor: bool = False) -> str:
        """A personal access token; no expiry."""
        return self.core.logins.personal(user, f"token-{new_id(6)}", bypass_two_factor=bypass_two_factor).value

    def revoke(self, token: str) -> None:
        self.core.logins.revoke(token)

    def add_department(self, name: str, agents: Iterable[User] = (), **extra: Any) -> Department:
        department = Department(new_id(), name, [agent.id for agent in agents], **extra)
        self.core.world.departments[department.id] = department
        return department

    # --- breaking things ----------------------------------------------------------------------------------------

    async def cut_sockets(self) -> None:
        await self.hub.cut()

    def refuse_sockets(self, refuse: bool = True) -> None:
        """New websockets get 503; open ones stay."""
        self.hub.refusing = refuse

    def hold_events(self, hold: bool = True) -> None:
        """While held, events are lost: the change happens, no socket hears of it."""
        self.hub.streams.held = hold

    async def emit_again(self, message_id: str) -> None:
        """The event of a message a second time, as clusters and edits by previews do."""
        self.core.world.emit("message", self.core.world.messages[message_id])

    # --- waiting ------------------------------------------------------------------------------------------------

    def subscribe(self, callback: Callable[[str, Doc], None]) -> None:
        self.core.world.listen(callback)

    async def until(self, predicate: Callable[[], T], timeout: float = 10) -> T:
        """The predicate's value as soon as it is truthy; asked again after every change and every answered call."""
        changed = asyncio.Event()
        self._waiting.add(changed)
        try:
            async with asyncio.timeout(timeout):
                while not (value := predicate()):
                    await changed.wait()
                    changed.clear()
                return value
        except TimeoutError:
            raise TimeoutError(f"nothing came of it in {timeout} s; {self._state()}") from None
        finally:
            self._waiting.discard(changed)

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()

    def _state(self) -> str:
        world = self.core.world
        rooms = [f"{room['t']}:{room.get('fname') or room['_id']}({room['msgs']})" for room in self.rooms.values()]
        last = [f"{call.method} {call.path} {call.status}" for call in self.calls[-5:]]
        said = [str(message["msg"])[:60] for message in list(world.messages.values())[-5:]]
        return f"sockets {len(self.hub.sessions)}, rooms {rooms}, last messages {said}, last calls {last}"
