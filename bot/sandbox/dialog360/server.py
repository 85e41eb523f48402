"""The HTTP side: takes requests, notes them, lets the levers break them, and writes refusals out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from bot.sandbox.dialog360 import routes
from bot.sandbox.dialog360.refusals import Refusal
from bot.sandbox.dialog360.state import Call
from bot.sandbox.levers import DROPPED

if TYPE_CHECKING:
    from bot.sandbox.dialog360.sandbox import Dialog360Sandbox

_MAX_BODY = 101 * 1024 * 1024


class Server:
    def __init__(self, sandbox: Dialog360Sandbox) -> None:
        self._sandbox = sandbox
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, port: int) -> str:
        """Listens on 127.0.0.1 and returns the URL; port 0 picks a free one."""
        app = web.Application(middlewares=[self._around], client_max_size=_MAX_BODY)
        routes.add(app, self._sandbox)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=False, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.port = self._runner.addresses[0][1]
        return f"http://127.0.0.1:{self.port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _around(self, request: web.Request, handler: routes.Handler) -> web.StreamResponse:
        key = request.headers.get("D360-API-KEY", "")
        call = Call(request.method, request.path, dict(request.query), None, DROPPED, key[-4:], self._sandbox.now())
        self._sandbox.calls.append(call)
        if not request.content_type.startswith("multipart/"):
            call.body = _readable(await request.read())
        request[routes.CALL] = call

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except Refusal as refusal:
                return web.json_response(refusal.body, status=refusal.status)
            except web.HTTPException as error:
                return web.json_response({"error": error.reason}, status=error.status)

        response, call.status = await self._sandbox.levers.around(request, answer)
        self._sandbox.announce("call", call)
        return response


def _readable(raw: bytes) -> Any:
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")
