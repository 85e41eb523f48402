"""Guessing of secret addresses: counted for each client, and never at the cost of another one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import make_mocked_request

from bot.config import Server
from bot.web.guessing import MOST, SPAN, Client, Guesses
from bot.web.server import application, serving
from tests.chatops.desk import FakeClock

LOCAL = ("127.0.0.0/8", "::1")


def guesses(clock: FakeClock | None = None, trusted: Sequence[str] = LOCAL) -> Guesses:
    server = Server(public_url="https://bot.example", trusted_proxies=list(trusted))
    return Guesses(clock or FakeClock(), server.proxies)


def client(peer: str, forwarded: str = "", trusted: Sequence[str] = LOCAL) -> Client:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=peer)
    return guesses(trusted=trusted).client(request)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.114.9", "", Client("203.0.114.9", True)),
        ("203.0.114.9", "198.18.0.1", Client("203.0.114.9", False)),  # a proxy that is not ours, or a liar
        ("127.0.0.1", "203.0.114.9", Client("203.0.114.9", True)),
        ("127.0.0.1", "1.2.3.4, 203.0.114.9", Client("203.0.114.9", True)),  # what stands before is the client's word
        ("127.0.0.1", "203.0.114.9, 127.0.0.1", Client("203.0.114.9", True)),
        ("127.0.0.1", "203.0.114.9:4711", Client("203.0.114.9", True)),
        ("127.0.0.1", "[2a02:1:2:3::9]:443", Client("2a02:1:2:3::/64", True)),
        ("::ffff:127.0.0.1", "2a02:1:2:3:4:5:6:7", Client("2a02:1:2:3::/64", True)),
        ("127.0.0.1", "", Client("127.0.0.1", False)),  # a proxy that tells nothing: all share its address
        ("127.0.0.1", "unknown", Client("127.0.0.1", False)),
        ("127.0.0.1", "203.0.114.9, nonsense", Client("127.0.0.1", False)),
        ("172.18.0.2", "", Client("172.18.0.2", False)),  # a container's neighbour may be a proxy
        ("unix:", "", Client("unknown", False)),
    ],
)
def test_whose_guess_it_is(peer: str, forwarded: str, expected: Client) -> None:
    assert client(peer, forwarded) == expected


def test_a_proxy_elsewhere_has_to_be_configured() -> None:
    assert client("172.18.0.2", "203.0.114.9", trusted=["172.16.0.0/12"]) == Client("203.0.114.9", True)


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match=r"172.16.0.0/12"):
        Server(public_url="https://bot.example", trusted_proxies=["proxy"])


@asynccontextmanager
async def door(clock: FakeClock) -> AsyncIterator[ClientSession]:
    """`/right` is the secret address; `/api/right` the one that a client who guesses is kept from."""
    counted = guesses(clock)

    async def hook(request: web.Request) -> web.Response:
        if request.match_info["key"] != "right":
            counted.wrong(request)
            raise web.HTTPNotFound
        return web.Response(text="in")

    async def api(request: web.Request) -> web.Response:
        counted.check(request)
        return await hook(request)

    app = application([web.get("/{key}", hook), web.get("/api/{key}", api)])
    async with serving(app, "127.0.0.1", 0) as port, ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session


async def ask(session: ClientSession, path: str, client: str = "") -> int:
    headers = {"X-Forwarded-For": client} if client else {}
    async with session.get(path, headers=headers) as answer:
        assert (answer.status == 429) is ("Retry-After" in answer.headers)
        return answer.status


async def test_a_client_that_guesses_is_told_to_stop_and_nobody_else_notices() -> None:
    clock = FakeClock()
    async with door(clock) as session:
        seen = [await ask(session, f"/{number}", "203.0.114.9") for number in range(MOST + 5)]

        assert seen == [404] * MOST + [429] * 5
        assert await ask(session, "/wrong", "203.0.114.10") == 404
        assert await ask(session, "/right", "203.0.114.9") == 200, "what has the secret is served"
        assert await ask(session, "/api/right", "203.0.114.9") == 429, "the API token is refused to who guesses"
        assert await ask(session, "/api/right", "203.0.114.10") == 200

        clock.time += SPAN
        assert await ask(session, "/api/right", "203.0.114.9") == 200
        assert await ask(session, "/wrong", "203.0.114.9") == 404


async def test_behind_a_proxy_that_tells_nothing_the_right_token_is_never_refused() -> None:
    async with door(FakeClock()) as session:
        for number in range(MOST + 5):
            await ask(session, f"/{number}")

        assert await ask(session, "/wrong") == 429
        assert await ask(session, "/api/right") == 200
