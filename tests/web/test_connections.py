"""Slow, silent and too many callers: the server over real sockets."""

from __future__ import annotations

import asyncio
import logging
import socket
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from bot.web.connections import Limits
from bot.web.server import application, serving

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Callers:
    """Whoever connects to the server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.writers: list[asyncio.StreamWriter] = []

    async def opened(self, said: bytes = b"") -> Connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        writer.write(said)
        await writer.drain()
        return reader, writer

    async def hang_up(self) -> None:
        for writer in self.writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def server(limits: Limits) -> AsyncIterator[Callers]:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(0.5)
        return web.Response(text="at last")

    async def body(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    routes = [web.get("/hello", hello), web.get("/slow", slow), web.post("/body", body)]
    async with serving(application(routes, limits), "127.0.0.1", 0) as port:
        callers = Callers(port)
        try:
            yield callers
        finally:
            await callers.hang_up()


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def answer(connection: Connection) -> bytes:
    async with asyncio.timeout(5):
        head = await connection[0].readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-len"))
        return head + await connection[0].readexactly(length)


async def is_cut(connection: Connection, within: float = 5.0) -> bool:
    try:
        async with asyncio.timeout(within):
            return await connection[0].read(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


async def test_who_says_nothing_is_cut_and_who_asks_is_served() -> None:
    async with server(Limits(head=0.2)) as callers:
        silent = await callers.opened()
        started = await callers.opened(b"GET /hello HTTP/1.1\r\nHost: x\r\nX-A: ")
        whole = await callers.opened(get("/hello"))

        assert b"hello" in await answer(whole)
        assert await is_cut(silent)
        assert await is_cut(started)


async def test_a_head_that_drips_in_is_cut_also_on_a_kept_connection() -> None:
    async with server(Limits(head=0.3)) as callers:
        kept = await callers.opened(get("/hello"))
        assert b"hello" in await answer(kept)
        assert not await is_cut(kept, within=0.5), "a quiet connection is kept for the next request"

        async def drip() -> None:
            for byte in b"GET /hello HTTP/1.1\r\nHost: " + b"x" * 1000:
                kept[1].write(bytes([byte]))
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        assert await is_cut(kept)
        dripping.cancel()


async def test_an_answer_that_takes_longer_than_a_head_may_is_not_cut() -> None:
    async with server(Limits(head=0.1)) as callers:
        assert b"at last" in await answer(await callers.opened(get("/slow")))


async def test_when_all_places_are_taken_the_longest_silent_one_goes() -> None:
    async with server(Limits(most=3, head=30)) as callers:
        silent = [await callers.opened() for _ in range(3)]
        await asyncio.sleep(0.05)

        assert b"hello" in await answer(await callers.opened(get("/hello")))

        assert await is_cut(silent[0])
        assert not await is_cut(silent[1], within=0.2)


async def test_a_thousand_silent_connections_keep_nobody_out() -> None:
    async with server(Limits(most=50, head=30)) as callers:
        silent = []
        for _ in range(200):
            silent.append(await callers.opened())
            if len(silent) % 20 == 0:
                assert b"hello" in await answer(await callers.opened(get("/hello")))


async def test_a_request_that_is_being_answered_is_never_pushed_out() -> None:
    async with server(Limits(most=2, head=30)) as callers:
        busy = [await callers.opened(get("/slow")) for _ in range(2)]
        await asyncio.sleep(0.1)

        assert await is_cut(await callers.opened(get("/hello"))), "there is no place"
        for one in busy:
            assert b"at last" in await answer(one)
        assert b"hello" in await answer(await callers.opened(get("/hello")))


async def test_a_body_is_read_whole_however_it_is_cut_into_pieces() -> None:
    async with server(Limits(head=0.2)) as callers:
        slow = await callers.opened(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\n")
        for _ in range(30):
            slow[1].write(b"x")
            await asyncio.sleep(0.02)
        assert b"30" in await answer(slow)


async def test_a_body_that_never_ends_is_answered_after_the_time_that_a_request_has() -> None:
    async with server(Limits(request=0.2)) as callers:
        stuck = await callers.opened(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\nx")
        assert b" 408 " in await answer(stuck)
        assert b"hello" in await answer(await callers.opened(get("/hello")))


async def test_heads_and_pipelines_have_bounds() -> None:
    async with server(Limits()) as callers:
        long_line = await callers.opened(b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 400 " in await answer(long_line)
        many = await callers.opened(b"GET /hello HTTP/1.1\r\n" + b"X-A: b\r\n" * 1000 + b"\r\n")
        assert b" 400 " in await answer(many)
        pipelined = await callers.opened(get("/hello") * 200)
        for _ in range(200):
            assert b"hello" in await answer(pipelined)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_nothing_that_a_stranger_sends_is_unpacked(encoding: str) -> None:
    async with server(Limits()) as callers:
        packed = zlib.compress(bytes(10_000_000))
        head = (
            f"POST /body HTTP/1.1\r\nHost: x\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(packed)}\r\n\r\n"
        )
        assert (await answer(await callers.opened(head.encode() + packed))).endswith(b"\r\n\r\n%d" % len(packed))


@pytest.mark.parametrize(
    "said",
    [
        b"GET /sesame\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"SESAME / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-A: sesame\x01\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"sesame" * 5000 + b"\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_not_repeated_and_told_no_version(
    said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with server(Limits()) as callers:
        told = (await answer(await callers.opened(said))).lower()
        assert b" 400 " in told
        assert b"sesame" not in told
        assert "sesame" not in caplog.text
        assert [one for one in caplog.records if one.levelno > logging.INFO] == [], "a stranger's fault is none of ours"
        assert b"aiohttp" not in told
        assert b"python" not in told
        assert b"x-content-type-options: nosniff" in told
        assert b"cache-control: no-store" in told


async def test_no_answer_names_what_the_server_is_made_of() -> None:
    async with server(Limits()) as callers:
        for path in ("/hello", "/nowhere"):
            head = (await answer(await callers.opened(get(path)))).lower()
            assert b"aiohttp" not in head
            assert b"python" not in head
            assert b"x-content-type-options: nosniff" in head
            assert b"cache-control: no-store" in head
            assert b"referrer-policy: no-referrer" in head


@pytest.mark.parametrize("turns", range(6))
async def test_who_calls_while_the_server_ends_is_cut_off(turns: int) -> None:
    """However far the event loop has come with the connection: nobody is left waiting on a socket without a server."""
    async with serving(application([]), "127.0.0.1", 0) as port:
        caller = socket.create_connection(("127.0.0.1", port))  # taken by the system, not yet by the loop
        for _ in range(turns):
            await asyncio.sleep(0)
    with caller:
        caller.settimeout(0)
        for _ in range(3):
            await asyncio.sleep(0)
        try:
            left = caller.recv(1)
        except ConnectionError:
            left = b""
        assert left == b""
