"""The embedded HTTP server: one aiohttp application behind the operator's TLS proxy.

It holds requests small and short (body size, slow clients), never logs addresses with secrets in them, and answers
every unexpected failure with a bare 500, so that no detail leaves the house.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from aiohttp import web

from bot.config import ConfigError

log = logging.getLogger(__name__)

LARGEST = 4 * 1024 * 1024
LONGEST = 30.0
"""Seconds that one request may take, slow clients included."""


def application(routes: Iterable[web.RouteDef]) -> web.Application:
    app = web.Application(client_max_size=LARGEST, middlewares=[_plain_failures])
    app.add_routes(routes)
    return app


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Listens while the block runs; yields the port, which matters when 0 was asked for."""
    runner = web.AppRunner(app, access_log=None, logger=_protocol_log(), handle_signals=False, shutdown_timeout=5.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise ConfigError(
                f"[server] host and port: cannot listen on {host}:{port} ({error.strerror or error}). Is another "
                "program, or another bot, using it?"
            ) from None
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _protocol_log() -> logging.Logger:
    """Of requests that aiohttp cannot read. Its errors quote them, and their addresses hold secrets: only the kind of
    error is logged."""

    def without_request(record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[0]:
            record.msg, record.args = f"{record.getMessage()}: {record.exc_info[0].__name__}", ()
        record.exc_info = record.exc_text = None
        return True

    found = logging.getLogger(f"{__name__}.protocol")
    found.filters = [without_request]
    return found


@web.middleware
async def _plain_failures(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        async with asyncio.timeout(LONGEST):
            return await handler(request)
    except TimeoutError:
        return web.Response(status=408, text="too slow")
    except web.HTTPException:
        raise
    except ConnectionError:
        raise
    except Exception:
        log.exception("a request of %s failed", request.match_info.route.resource)
        return web.Response(status=500, text="internal error")
