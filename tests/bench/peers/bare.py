"""`python -m tests.bench.peers.bare`: an aiohttp handler that reads the JSON, stores nothing and says 200."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import web


async def incoming(request: web.Request) -> web.Response:
    await request.json()
    return web.Response()


async def serve() -> None:
    app = web.Application(client_max_size=4 * 1024 * 1024)
    app.router.add_post("/incoming", incoming)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(uvloop.run(serve()))
