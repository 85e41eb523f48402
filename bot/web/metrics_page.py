"""`/metrics`, for Prometheus. It shares the one port of the bot, which a proxy leads the internet to.

With `[server] metrics_token` whoever sends it as `Authorization: Bearer …` may read. Without, only a program on this
machine may that asks the port itself, by an address of loopback or `localhost`: a request that came through a proxy
finds nothing here, nor does one for another name, which a page in a browser of this machine may have led here.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from bot.metrics import CONTENT_TYPE
from bot.web.guessing import Guesses

_OF_PROXIES = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")


class MetricsPage:
    def __init__(self, text: Callable[[], Awaitable[bytes]], *, token: str, guesses: Guesses) -> None:
        self._text = text
        self._token = token
        self._guesses = guesses

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/metrics", self.show)]

    async def show(self, request: web.Request) -> web.Response:
        """Counters and times for Prometheus.

        200 in its text format · 401 the token is missing or wrong · 404 no token is set and this is not the machine
        itself."""
        if self._token:
            given = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._token.encode()):
                self._guesses.wrong(request)
                raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        elif not self._from_here(request):
            raise web.HTTPNotFound
        return web.Response(body=await self._text(), headers={"Content-Type": CONTENT_TYPE})

    def _from_here(self, request: web.Request) -> bool:
        if not _is_loopback(request.remote or "") or any(name in request.headers for name in _OF_PROXIES):
            return False
        try:
            return _is_loopback(urlsplit(f"//{request.host}").hostname or "")
        except ValueError:
            return False


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return address == "localhost"
