"""Serves the page on 127.0.0.1: its files, a stream of whole states, and what people do on it.

The page is meant for the person at this machine. Other sites that their browser has open get nothing: requests must
name this host, actions must come from this page as JSON, and the page itself loads nothing from elsewhere.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from bot.sandbox.dialog360 import Customer, Delivery, Dialog360Sandbox, SandboxNumber
from bot.sandbox.page.view import Cast, Note, picture
from bot.sandbox.rocketchat import RocketChatSandbox, User
from bot.sandbox.rocketchat.wire import MeteorError, PlainError

STATIC = Path(__file__).parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".html": "text/html"}
SHOWN_INLINE = ("image/png", "image/jpeg", "image/gif", "image/webp")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
SETTLE = 0.03
"""Seconds to let a burst of changes become one picture."""
HEARTBEAT = 15.0


class DemoPage:
    """`async with DemoPage(…) as page: print(page.url)`."""

    def __init__(
        self,
        rc: RocketChatSandbox,
        wa: Dialog360Sandbox,
        *,
        number: SandboxNumber,
        customer: Customer,
        admin: User,
        agent: User,
        setup_room: str,
        port: int = 0,
    ) -> None:
        self._cast = Cast(rc, wa, number, customer, admin, agent, setup_room)
        self._notes: list[Note] = []
        self._ids = itertools.count(1)
        self._delivered: set[str] = set()
        self._viewers: set[asyncio.Event] = set()
        self._closing = False
        self._port = port
        self._runner: web.AppRunner | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._guard], client_max_size=64 * 1024)
        app.add_routes(
            [
                web.get("/", self._index),
                web.get("/live", self._live),
                web.post("/do", self._do),
                web.get(r"/file/{where:wa|rc}/{id:\w+}", self._file),
                web.get(r"/{name:[a-z]+\.(?:css|js|svg)}", self._asset),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}/"
        self._cast.rc.subscribe(self._workspace_changed)
        self._unsubscribe = self._cast.wa.subscribe(self._phone_changed)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._wake()
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._runner is not None:
            await self._runner.cleanup()

    # --- changes ------------------------------------------------------------------------------------------------

    def _workspace_changed(self, kind: str, document: dict[str, Any]) -> None:
        if kind == "ephemeral":
            note = Note(f"note-{next(self._ids)}", document["to"], document["rid"], document["msg"], _ms())
            self._notes = [*self._notes[-50:], note]
        self._wake()

    def _phone_changed(self, kind: str, document: object) -> None:
        if kind == "delivery" and isinstance(document, Delivery) and document.statuses[-1] == 200:
            self._delivered |= _wamids(document.body)
        self._wake()

    def _wake(self) -> None:
        for viewer in self._viewers:
            viewer.set()

    # --- the page -----------------------------------------------------------------------------------------------

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.host not in (f"127.0.0.1:{self._port}", f"localhost:{self._port}"):
            raise web.HTTPForbidden
        return await handler(request)

    async def _index(self, _: web.Request) -> web.Response:
        return _static("index.html")

    async def _asset(self, request: web.Request) -> web.Response:
        return _static(request.match_info["name"])

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """Server-Sent Events: the whole picture at once, then after every change."""
        answer = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await answer.prepare(request)
        changed = asyncio.Event()
        self._viewers.add(changed)
        try:
            last = ""
            while not self._closing:
                changed.clear()
                now = json.dumps(picture(self._cast, self._notes, self._delivered))
                await answer.write(f"data: {now}\n\n".encode() if now != last else b": still here\n\n")
                last = now
                await _wait(changed, HEARTBEAT)
                await asyncio.sleep(SETTLE)
        except ConnectionError:
            pass
        finally:
            self._viewers.discard(changed)
        return answer

    async def _file(self, request: web.Request) -> web.Response:
        id = request.match_info["id"]
        if request.match_info["where"] == "wa":
            file = self._cast.wa.media.find(self._cast.number, id, self._cast.wa.now())
            mime, data = (file.mime, file.data) if file else ("", b"")
        else:
            stored = self._cast.rc.core.files.stored.get(id)
            mime, data = (stored.mime, stored.data) if stored else ("", b"")
        if not mime:
            raise web.HTTPNotFound
        if mime not in SHOWN_INLINE:
            mime = "application/octet-stream"
            headers = {**HEADERS, "Content-Disposition": "attachment"}
            return web.Response(body=data, headers={**headers, "Content-Type": mime})
        return web.Response(body=data, headers={**HEADERS, "Content-Type": mime})

    # --- what people do -----------------------------------------------------------------------------------------

    async def _do(self, request: web.Request) -> web.Response:
        """One action as JSON: `{"do": …}` with what it needs. 204, or 409 with the server's own words."""
        if request.content_type != "application/json" or request.headers.get("Origin") != f"http://{request.host}":
            raise web.HTTPForbidden
        try:
            act = json.loads(await request.read())
            doing = _ACTIONS[act["do"]](self, act)
        except (ValueError, KeyError, TypeError):
            raise web.HTTPBadRequest from None
        try:
            await doing
        except (MeteorError, PlainError, LookupError) as error:
            return web.json_response({"error": str(error)}, status=409, headers=HEADERS)
        return web.Response(status=204, headers=HEADERS)

    async def _customer_writes(self, act: dict[str, Any]) -> None:
        await self._cast.customer.write(self._cast.number, str(act["text"]))

    async def _customer_taps(self, act: dict[str, Any]) -> None:
        received = next(one for one in self._cast.customer.received if one.wamid == act["message"])
        await self._cast.customer.tap(received, str(act["label"]))

    async def _customer_photo(self, _: dict[str, Any]) -> None:
        await self._cast.customer.send_file(self._cast.number, _photo(), "image/png", filename="photo.png")

    async def _admin_writes(self, act: dict[str, Any]) -> None:
        await self._cast.rc.write(self._cast.admin, self._cast.setup_room, str(act["text"]))

    async def _admin_presses(self, act: dict[str, Any]) -> None:
        await self._cast.rc.press(self._cast.admin, str(act["message"]), str(act["label"]))

    async def _agent_writes(self, act: dict[str, Any]) -> None:
        await self._cast.rc.write(self._cast.agent, str(act["room"]), str(act["text"]))

    async def _agent_presses(self, act: dict[str, Any]) -> None:
        await self._cast.rc.press(self._cast.agent, str(act["message"]), str(act["label"]))

    async def _agent_photo(self, act: dict[str, Any]) -> None:
        await self._cast.rc.upload(self._cast.agent, str(act["room"]), "photo.png", "image/png", _photo())

    async def _agent_takes(self, act: dict[str, Any]) -> None:
        await self._cast.rc.take(self._cast.agent, str(act["room"]))

    async def _agent_closes(self, act: dict[str, Any]) -> None:
        await self._cast.rc.close_room(self._cast.agent, str(act["room"]), "")


_ACTIONS: dict[str, Callable[[DemoPage, dict[str, Any]], Awaitable[None]]] = {
    "customer-writes": DemoPage._customer_writes,
    "customer-taps": DemoPage._customer_taps,
    "customer-photo": DemoPage._customer_photo,
    "admin-writes": DemoPage._admin_writes,
    "admin-presses": DemoPage._admin_presses,
    "agent-writes": DemoPage._agent_writes,
    "agent-presses": DemoPage._agent_presses,
    "agent-photo": DemoPage._agent_photo,
    "agent-takes": DemoPage._agent_takes,
    "agent-closes": DemoPage._agent_closes,
}


def _static(name: str) -> web.Response:
    file = STATIC / name
    if not file.is_file():
        raise web.HTTPNotFound
    return web.Response(
        body=file.read_bytes(), headers={**HEADERS, "Content-Type": f"{TYPES[file.suffix]}; charset=utf-8"}
    )


def _wamids(body: Any) -> set[str]:
    """Of the customers' messages in a webhook body; none in a body of another shape."""
    try:
        values = [change["value"] for entry in body["entry"] for change in entry["changes"]]
        return {item["id"] for value in values for item in value.get("messages", [])}
    except (TypeError, KeyError, AttributeError):
        return set()


def _photo() -> bytes:
    return (STATIC / "photo.png").read_bytes()


async def _wait(event: asyncio.Event, timeout: float) -> None:
    try:
        async with asyncio.timeout(timeout):
            await event.wait()
    except TimeoutError:
        pass


def _ms() -> int:
    return int(time.time() * 1000)
