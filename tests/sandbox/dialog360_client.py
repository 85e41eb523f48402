"""A caller of the simulator that knows nothing of it: plain HTTP with a key, and a receiver of webhooks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

Json = dict[str, Any]


@dataclass
class Hit:
    path: str
    headers: dict[str, str]
    raw: bytes
    body: Any


@dataclass
class Receiver:
    """A webhook receiver whose answers a test can choose: `answers` first, then 200."""

    url: str = ""
    hits: list[Hit] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    gate: asyncio.Event | None = None
    most_at_once: int = 0
    _inside: int = 0
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle(self, request: web.Request) -> web.Response:
        self._inside += 1
        self.most_at_once = max(self.most_at_once, self._inside)
        try:
            raw = await request.read()
            body = await request.json() if raw.startswith(b"{") else None
            self.hits.append(Hit(request.path_qs, dict(request.headers), raw, body))
            async with self._came:
                self._came.notify_all()
            if self.gate is not None:
                await self.gate.wait()
            return web.Response(status=self.answers.pop(0) if self.answers else 200)
        finally:
            self._inside -= 1

    async def crowd(self, count: int) -> None:
        """Waits until so many requests came in."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.hits) >= count)

    def values(self) -> list[Json]:
        return [hit.body["entry"][0]["changes"][0]["value"] for hit in self.hits]

    def messages(self) -> list[Json]:
        return [item for value in self.values() for item in value.get("messages", [])]

    def statuses(self) -> list[Json]:
        return [item for value in self.values() for item in value.get("statuses", [])]


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application(client_max_size=8 * 1024 * 1024)
    app.router.add_route("POST", "/{tail:.*}", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


class Api:
    """Calls with one key; every method gives (status, decoded answer)."""

    def __init__(self, http: aiohttp.ClientSession, url: str, key: str) -> None:
        self._http = http
        self.url = url
        self.key = key

    async def call(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        headers = {"D360-API-KEY": self.key} | options.pop("headers", {})
        async with self._http.request(
            method, self.url + path, headers=headers, allow_redirects=False, **options
        ) as answer:
            raw = await answer.read()
            return answer.status, (await answer.json() if answer.content_type == "application/json" else raw)

    async def send(self, to: str, **parts: Any) -> tuple[int, Any]:
        return await self.call("POST", "/messages", json={"messaging_product": "whatsapp", "to": to, **parts})

    async def text(self, to: str, body: str = "hello", **parts: Any) -> tuple[int, Any]:
        return await self.send(to, type="text", text={"body": body}, **parts)


def code_of(answer: tuple[int, Any]) -> int:
    assert answer[0] >= 400, answer
    code: int = answer[1]["error"]["code"]
    return code


def wamid_of(answer: tuple[int, Any]) -> str:
    assert answer[0] == 200, answer
    wamid: str = answer[1]["messages"][0]["id"]
    return wamid
