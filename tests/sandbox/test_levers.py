"""The levers break the transport and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.sandbox.levers import DROPPED, Levers


class Shop:
    """A server with one effect: it counts."""

    def __init__(self) -> None:
        self.levers, self.effects, self.seen = Levers(), 0, list[int]()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        async def effect(request: web.Request) -> web.StreamResponse:
            await request.read()
            self.effects += 1
            return web.json_response({"count": self.effects})

        answer, status = await self.levers.around(request, effect)
        self.seen.append(status)
        return answer


@asynccontextmanager
async def open_shop() -> AsyncIterator[tuple[Shop, aiohttp.ClientSession]]:
    shop = Shop()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", shop.handle)
    async with TestServer(app) as server, aiohttp.ClientSession(server.make_url("/")) as client:
        yield shop, client


async def test_an_answer_before_the_effect_leaves_no_effect() -> None:
    async with open_shop() as (shop, client):
        shop.levers.add("/pay", status=503, body={"error": "busy"}, headers={"Retry-After": "7"})
        async with client.post("/pay") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
            assert await answer.json() == {"error": "busy"}
        assert shop.effects == 0
        async with client.post("/pay") as answer:
            assert answer.status == 200


async def test_an_answer_lost_after_the_effect_cannot_be_told_from_a_lost_request() -> None:
    async with open_shop() as (shop, client):
        shop.levers.add("/pay", when="after", drop=True)
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.post("/pay")
        assert (shop.effects, shop.seen) == (1, [DROPPED])
        shop.levers.add("/pay", drop=True)
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.post("/pay")
        assert shop.effects == 1


async def test_times_counts_and_minus_one_holds_until_cleared() -> None:
    async with open_shop() as (shop, client):

        async def statuses(count: int) -> list[int]:
            found = []
            for _ in range(count):
                async with client.post("/pay") as answer:
                    found.append(answer.status)
            return found

        shop.levers.add("/pay", times=2, status=500)
        assert await statuses(3) == [500, 500, 200]
        shop.levers.add("/pay", times=-1, status=502)
        assert await statuses(4) == [502] * 4
        shop.levers.clear()
        assert await statuses(1) == [200]


async def test_only_the_named_path_and_method_break() -> None:
    async with open_shop() as (shop, client):
        shop.levers.add(r"^/pay$", status=500, method="post")
        async with client.get("/pay") as first, client.post("/pay/later") as second, client.post("/pay") as third:
            assert [first.status, second.status, third.status] == [200, 200, 500]


async def test_a_delayed_request_has_its_effect_when_the_caller_has_given_up() -> None:
    async with open_shop() as (shop, client):
        shop.levers.add("/pay", when="after", delay=30)
        with pytest.raises(TimeoutError):
            await client.post("/pay", timeout=aiohttp.ClientTimeout(total=0.2))
        assert shop.effects == 1
        shop.levers.clear()
        await asyncio.sleep(0)
