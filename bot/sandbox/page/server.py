"""Serves the page on 127.0.0.1: its files, a stream of whole states, and what people do on it.

The page is meant for the person at this machine. Other sites that their browser has open get nothing: requests must
name this host, actions must come from this page as JSON, and the page itself loads nothing from elsewhere.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from aiohttp import BodyPartReader, web

from bot.sandbox.dialog360 import Call, Customer, Delivery, Dialog360Sandbox, SandboxNumber
from bot.sandbox.page.acts import ACTS, FILE_ACTS
from bot.sandbox.page.cast import Cast, Note
from bot.sandbox.page.view import picture
from bot.sandbox.page.workspace import refusal
from bot.sandbox.rocketchat import RocketChatSandbox, User
from bot.sandbox.rocketchat.wire import Answer, MeteorError, PlainError

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
LARGEST_FILE = 16 * 1024 * 1024
LARGEST_ACT = 64 * 1024
UNKNOWN = "application/octet-stream"
_MIME = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,100}", re.ASCII)


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
        self._refused: dict[str, str] = {}
        self._viewers: set[asyncio.Event] = set()
        self._closing = False
        self._port = port
        self._runner: web.AppRunner | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._guard], client_max_size=LARGEST_ACT)
        app.add_routes(
            [
                web.get("/", self._index),
                web.get("/live", self._live),
                web.post("/do", self._do),
                web.post("/file", self._do_with_file),
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
        if kind == "call" and isinstance(document, Call):
            self._refused |= dict.fromkeys(refusal(document), "failed")
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
                now = json.dumps(picture(self._cast, self._notes, self._delivered, self._refused))
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
            mime, data, name = (file.mime, file.data, file.filename) if file else ("", b"", "")
        else:
            stored = self._cast.rc.core.files.stored.get(id)
            mime, data, name = (stored.mime, stored.data, stored.name) if stored else ("", b"", "")
        if not mime:
            raise web.HTTPNotFound
        if mime not in SHOWN_INLINE:
            headers = {**HEADERS, "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
            return web.Response(body=data, headers={**headers, "Content-Type": UNKNOWN})
        return web.Response(body=data, headers={**HEADERS, "Content-Type": mime})

    # --- what people do -----------------------------------------------------------------------------------------

    async def _do(self, request: web.Request) -> web.Response:
        """One action as JSON: `{"do": …}` with what it needs. 204, or 409 with the server's own words."""
        if request.content_type != "application/json" or not _from_here(request):
            raise web.HTTPForbidden
        try:
            act = json.loads(await request.read())
            doing = ACTS[act["do"]](self._cast, act)
        except (ValueError, KeyError, TypeError):
            raise web.HTTPBadRequest from None
        return await _done(doing)

    async def _do_with_file(self, request: web.Request) -> web.Response:
        """A form of two parts: `act` as for `_do`, then `file`, whose name and type are what the browser says."""
        if request.content_type != "multipart/form-data" or not _from_here(request):
            raise web.HTTPForbidden
        try:
            reader = await request.multipart()
            act = json.loads(await _content(await reader.next(), LARGEST_ACT))
            doing = FILE_ACTS[act["do"]]
            part = await reader.next()
            data = await _content(part, LARGEST_FILE)
        except (ValueError, KeyError, TypeError):
            raise web.HTTPBadRequest from None
        name, mime = _named(part)
        return await _done(doing(self._cast, act, name, mime, data))


async def _content(part: object, most: int) -> bytes:
    """Raises ValueError when there is none, and the answer 413 for too much."""
    if not isinstance(part, BodyPartReader):
        raise ValueError("not a part")
    data = bytearray()
    while piece := await part.read_chunk(64 * 1024):
        data += piece
        if len(data) > most:
            raise web.HTTPRequestEntityTooLarge(most, len(data))
    return bytes(data)


def _named(part: object) -> tuple[str, str]:
    """File name and type."""
    if not isinstance(part, BodyPartReader):
        return "file", UNKNOWN
    name = (part.filename or "").replace("\\", "/").rpartition("/")[2].strip()[:200]
    mime = part.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return name or "file", mime if _MIME.fullmatch(mime) else UNKNOWN


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


async def _done(doing: Awaitable[None]) -> web.Response:
    try:
        await doing
    except (MeteorError, PlainError, LookupError, Answer) as error:
        body = error.body if isinstance(error, Answer) else None
        told = str((body or {}).get("reason") or (body or {}).get("error") or error)
        return web.json_response({"error": told}, status=409, headers=HEADERS)
    return web.Response(status=204, headers=HEADERS)


def _from_here(request: web.Request) -> bool:
    return request.headers.get("Origin") == f"http://{request.host}"


async def _wait(event: asyncio.Event, timeout: float) -> None:
    try:
        async with asyncio.timeout(timeout):
            await event.wait()
    except TimeoutError:
        pass


def _ms() -> int:
    return int(time.time() * 1000)
