"""A load balancer as it stands in front of several bots: takes each request to one that answers."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from bot.stage import free_port

_OF_THE_CONNECTION = {"Connection", "Transfer-Encoding", "Content-Length", "Content-Encoding", "Keep-Alive"}


class Balancer:
    """`async with Balancer() as balancer`. The bots in turn; one that cannot be reached is passed by."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.bots: Sequence[int] = ()
        """Their ports."""
        self._turn = 0

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._http.close()

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.read()
        self._turn += 1
        for number in range(len(self.bots)):
            port = self.bots[(self._turn + number) % len(self.bots)]
            try:
                async with self._http.request(
                    request.method,
                    f"http://127.0.0.1:{port}{request.raw_path}",
                    headers=request.headers,
                    data=body,
                    allow_redirects=False,
                ) as answer:
                    headers = {name: value for name, value in answer.headers.items() if name not in _OF_THE_CONNECTION}
                    return web.Response(status=answer.status, headers=headers, body=await answer.read())
            except aiohttp.ClientError:
                continue
        raise web.HTTPBadGateway
