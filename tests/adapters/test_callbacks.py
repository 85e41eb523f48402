"""What may be called on an administrator's behalf, and what an answer means."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from bot.callbacks import Callbacks, is_public
from bot.errors import RateLimited, Refused, Trouble, Unreachable

NOBODY = "2000::1"
"""Public by its number, and given to nobody: no packet of the tests reaches a stranger."""


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Names(AbstractResolver):
    """A name server that says what it is told to."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=_family(address), proto=0, flags=0)
            for address in self._addresses
        ]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def server(status: int = 200) -> AsyncIterator[tuple[str, list[str]]]:
    got: list[str] = []

    async def take(request: web.Request) -> web.Response:
        got.append(request.path)
        return web.Response(status=status, headers={"Location": "/other"}, body=b"x" * 100_000)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}", got
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0.0.0.0", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
     "[::1]", "[fd00::1]", "[fe80::1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "[2002:7f00:1::]", "224.0.0.1",
     "127.0.0.1.", "[::127.0.0.1]", "[64:ff9b:1::a00:1]", "[fec0::1]", "[::ffff:0:a00:1]", "[fd00:ec2::254]",
     "168.63.129.16", "192.0.0.192", "[3fff::1]", "[5f00::1]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
     "①②⑦.0.0.1", "0x7f.1", "017700000001", "localhost", "[2002:808:808::1]"],
)  # fmt: skip
async def test_an_address_from_chat_never_leads_inside(host: str) -> None:
    async with Callbacks(resolver=Names("127.0.0.1")) as outgoing:
        with pytest.raises(Refused, match="private network"):
            await outgoing.post(f"http://{host}/status", {}, private=False)


async def test_a_name_that_leads_inside_is_refused_although_it_looks_public() -> None:
    async with server() as (place, got), Callbacks(resolver=Names("127.0.0.1")) as outgoing:
        port = place.split(":")[1]
        with pytest.raises(Refused, match="private network"):
            await outgoing.post(f"http://status.example:{port}/status", {}, private=False)
        await outgoing.post(f"http://status.example:{port}/status", {"a": 1}, private=True)

        assert got == ["/status"]


async def test_the_configuration_file_may_lead_inside() -> None:
    async with server() as (place, got), Callbacks() as outgoing:
        await outgoing.post(f"http://{place}/status", {"a": "ä"}, private=True)

        assert got == ["/status"]


@pytest.mark.parametrize(
    "url", ["", "ftp://example.org/", "file:///etc/passwd", "example.org/status", "http://[", "http:///x"]
)
async def test_what_is_no_web_address_is_refused(url: str) -> None:
    async with Callbacks(resolver=Names("127.0.0.1")) as outgoing:
        with pytest.raises(Refused):
            await outgoing.post(url, {}, private=True)


@pytest.mark.parametrize(
    ("status", "error"),
    [(302, Refused), (307, Refused), (404, Refused), (408, Trouble), (429, RateLimited), (500, Trouble)],
)
async def test_an_answer_decides_whether_it_is_worth_another_try(status: int, error: type[Exception]) -> None:
    async with server(status) as (place, got), Callbacks() as outgoing:
        with pytest.raises(error):
            await outgoing.post(f"http://{place}/status", {}, private=True)

        assert got == ["/status"]


async def test_nobody_at_home_is_worth_another_try() -> None:
    async with server() as (place, _):
        pass
    async with Callbacks() as outgoing:
        with pytest.raises(Unreachable):
            await outgoing.post(f"http://{place}/status", {}, private=True)


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_the_internet_is_public(address: str) -> None:
    assert is_public(address)


class Rebinding(Names):
    """Public when it is asked the first time, inside from then on: what a check beforehand would be fooled by."""

    def __init__(self, first: str) -> None:
        super().__init__("127.0.0.1")
        self._first = [first]
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        if self._first:
            return await Names(self._first.pop()).resolve(host, port, family)
        return await super().resolve(host, port, family)


async def test_a_name_that_turns_inwards_between_two_calls_is_refused_at_the_second() -> None:
    names = Rebinding(NOBODY)
    async with server() as (place, got), Callbacks(resolver=names, timeout=0.5) as outgoing:
        port = place.split(":")[1]
        with pytest.raises((Unreachable, Trouble)):
            await outgoing.post(f"http://status.example:{port}/status", {}, private=False)
        assert (names.asked, got) == (1, []), "resolved once: what was checked is what is connected to"
        with pytest.raises(Refused, match="private network"):
            await outgoing.post(f"http://status.example:{port}/status", {}, private=False)

        assert (names.asked, got) == (2, [])


async def test_of_mixed_addresses_only_the_public_ones_are_tried() -> None:
    names = Names("127.0.0.1", "::1", NOBODY)
    async with server() as (place, got), Callbacks(resolver=names, timeout=0.5) as outgoing:
        with pytest.raises((Unreachable, Trouble)):
            await outgoing.post(f"http://status.example:{place.split(':')[1]}/status", {}, private=False)

        assert got == []


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a proxy the guard would see only the proxy."""
    async with server() as (place, got):
        monkeypatch.setenv("http_proxy", f"http://{place}")
        monkeypatch.setenv("HTTP_PROXY", f"http://{place}")
        async with Callbacks(resolver=Names("127.0.0.1")) as outgoing:
            with pytest.raises(Refused, match="private network"):
                await outgoing.post("http://status.example/status", {}, private=False)

        assert got == []


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_one_counts(address: object) -> None:
    assert is_public(f"::ffff:{address}") in (False, is_public(str(address)))
