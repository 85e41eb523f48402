"""The embedded HTTP server: one aiohttp application behind the operator's TLS proxy.

It holds requests small and short (body size, slow clients), never logs addresses with secrets in them, and answers
every unexpected failure with a bare 500, so that no detail leaves the house.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Middleware
from multidict import CIMultiDict

from bot.config import ConfigError
from bot.relay.masking import place_of
from bot.web.connections import Connections, Limits

log = logging.getLogger(__name__)

LARGEST = 4 * 1024 * 1024
"""Bytes of a request. Meta's webhooks hold up to 3 MB."""

CONNECTIONS: web.AppKey[Connections] = web.AppKey("connections", Connections)
_HEADERS = CIMultiDict(
    {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
)
"""Of every answer that does not say otherwise."""
_COMPRESSIONS = {"gzip", "x-gzip", "compress", "x-compress", "deflate", "br", "zstd"}
"""Names in `Content-Encoding` (IANA: HTTP content coding registry). Another name, such as that of the characters,
changes nothing of a body."""


Watch = Callable[[str, str, int, float], None]
"""Told of each answer: the pattern of its address, the method, the status, the seconds it took."""


def _unwatched(route: str, method: str, status: int, seconds: float) -> None:
    """Nobody counts."""


def application(
    routes: Iterable[web.RouteDef], limits: Limits | None = None, watch: Watch = _unwatched
) -> web.Application:
    connections = Connections(limits or Limits())
    app = web.Application(client_max_size=LARGEST, middlewares=[_around(connections, watch)])
    app[CONNECTIONS] = connections
    app.on_response_prepare.append(_finish)
    app.add_routes(routes)
    return app


def is_compressed(request: web.Request) -> bool:
    """Its body is what was sent, and nobody here unpacks it."""
    given = request.headers.getall(hdrs.CONTENT_ENCODING, ())
    return any(name.strip().lower() in _COMPRESSIONS for one in given for name in one.split(","))


def give_time(request: web.Request, seconds: float) -> None:
    """From now on, for somebody who is known: a file comes slowly from a phone. Strangers would hold places with it."""
    request.app[CONNECTIONS].requests.give(seconds)


def _cannot_listen(host: str, port: int, error: OSError) -> ConfigError:
    """In words: why, and what to do."""
    at = f"[server] {host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return ConfigError(f"{at} is used by another program, perhaps another bot: end it, or take another port.")
    if error.errno == errno.EACCES:
        return ConfigError(f"{at} belongs to root, as ports below 1024 do: let the TLS proxy lead to a higher one.")
    if isinstance(error, socket.gaierror) or error.errno in (errno.EADDRNOTAVAIL, None):  # None: Python 3.13
        return ConfigError(f"{at} is no place of this machine: host is 127.0.0.1, or 0.0.0.0 for all its addresses.")
    return ConfigError(f"{at} cannot be listened to: {error.strerror}.")


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Listens while the block runs; yields the port, which matters when 0 was asked for."""
    connections = app[CONNECTIONS]
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=5.0)
    await runner.setup()
    loop, protocol_log = asyncio.get_running_loop(), _protocol_log()
    manager = runner.server
    assert manager is not None

    def connection() -> asyncio.Protocol:
        # Not decompressed: strangers could send two hundred kilobytes for half a second of the processor's time.
        wire = _Wire(
            manager,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # no line for each request, as aiohttp itself asks whether it is
            logger=protocol_log,
            auto_decompress=False,
            keepalive_timeout=connections.limits.idle,
        )
        return connections.guarded(wire)

    try:
        try:
            server = await loop.create_server(connection, host, port, backlog=512)
        except OSError as error:
            raise _cannot_listen(host, port, error) from None
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            await _stop_accepting(server)
    finally:
        await runner.cleanup()


class _Wire(web.RequestHandler):
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is no HTTP gets an answer that repeats nothing of it and names no version."""
        answer = super().handle_error(request, status, exc, HTTPStatus(status).phrase)
        answer.headers.update({**_HEADERS, "Server": ""})  # without one aiohttp puts in its own
        return answer


async def _stop_accepting(server: asyncio.Server) -> None:
    """Connections that were accepted in this moment get their transports first: asyncio's selector loop (CPython 3.11)
    leaves the sockets of those open for whom the server is closed between the two."""
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening.fileno())
    for _ in range(3):
        await asyncio.sleep(0)
    server.close()


async def _finish(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.pop(hdrs.SERVER, None)  # it names versions
    response.headers.merge(_HEADERS)


def _protocol_log() -> logging.Logger:
    """Of requests that aiohttp cannot read. Its errors quote them, and their addresses hold secrets: only the kind of
    error is logged, and as no error of ours: strangers send such things all day."""
    found = logging.getLogger(f"{__name__}.protocol")

    def without_request(record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if record.exc_info else None
        if kind is not None:
            record.msg, record.args = f"{record.getMessage()}: {kind.__name__}", ()
        record.exc_info = record.exc_text = None
        if kind is not None and issubclass(kind, HttpProcessingError) and record.levelno > logging.INFO:
            record.levelno, record.levelname = logging.INFO, "INFO"
            return found.isEnabledFor(logging.INFO)
        return True

    found.filters = [without_request]
    return found


def _around(connections: Connections, watch: Watch) -> Middleware:
    """One layer around every handler: layers of their own would cost as much as what they do."""

    @web.middleware
    async def around(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        began, status = time.perf_counter(), 499
        connections.begins(request)
        try:
            response = await connections.requests.keep(handler(request))
            status = response.status
            return response
        except TimeoutError:
            status = 408
            return web.Response(status=status, text="too slow")
        except web.HTTPException as error:
            status = error.status
            raise
        except ConnectionError:
            raise
        except Exception as error:
            status = 500
            name, place = type(error).__name__, place_of(error)
            log.error("a request of %s failed: %s %s", request.match_info.route.resource, name, place)
            return web.Response(status=status, text="internal error")
        finally:
            connections.ends(request)
            resource = request.match_info.route.resource
            route = resource.canonical if resource is not None else "other"
            watch(route, request.method if resource is not None else "other", status, time.perf_counter() - began)

    return around
