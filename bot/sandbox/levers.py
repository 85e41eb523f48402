"""What breaks at the transport: answers that never come, come late, come wrong, or get lost after the effect.

Both simulators run every HTTP request through `Levers.around`. A lever knows nothing of the request's meaning.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from aiohttp import web

When = Literal["before", "after"]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

DROPPED = 0
"""Status that a simulator notes for a call whose connection was cut."""


@dataclass(slots=True)
class Lever:
    path: re.Pattern[str]
    times: int
    when: When
    status: int | None
    body: object
    headers: Mapping[str, str]
    drop: bool
    delay: float
    method: str

    def fits(self, request: web.Request) -> bool:
        return self.times != 0 and self.method in ("*", request.method) and bool(self.path.search(request.path))

    def answer(self) -> web.Response | None:
        """The answer that replaces the real one; None when the lever only delays."""
        if self.status is None:
            return None
        if isinstance(self.body, bytes):
            return web.Response(status=self.status, body=self.body, headers=self.headers)
        if isinstance(self.body, str):
            return web.Response(status=self.status, text=self.body, headers=self.headers)
        text = "" if self.body is None else json.dumps(self.body)
        return web.Response(status=self.status, text=text, content_type="application/json", headers=self.headers)


class Levers:
    def __init__(self) -> None:
        self._levers: list[Lever] = []

    def add(
        self,
        path: str,
        *,
        times: int = 1,
        when: When = "before",
        status: int | None = None,
        body: object = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        drop: bool = False,
        delay: float = 0,
        method: str = "*",
    ) -> None:
        """Breaks the next `times` requests whose path matches the regular expression; -1: all until `clear`.

        `before`: answered with `status` and `body` (or cut off with `drop`) without any effect.
        `after`: the real handler runs first, then its answer is replaced or the connection is cut.
        `delay`: seconds the request is held; alone it only makes things slow.
        """
        self._levers.append(Lever(re.compile(path), times, when, status, body, headers, drop, delay, method.upper()))

    def clear(self) -> None:
        self._levers.clear()

    @property
    def idle(self) -> bool:
        """Whether every lever is used up. A request that one of them holds may still be held."""
        return not self._levers

    def take(self, request: web.Request) -> Lever | None:
        """The first lever that fits; it is used up by one."""
        for lever in self._levers:
            if lever.fits(request):
                lever.times -= lever.times > 0
                self._levers = [kept for kept in self._levers if kept.times != 0]
                return lever
        return None

    async def around(self, request: web.Request, handler: Handler) -> tuple[web.StreamResponse, int]:
        """Runs the handler as the levers say. Returns the answer and the status that the caller saw."""
        lever = self.take(request)
        if lever is None:
            answer = await handler(request)
            return answer, answer.status
        if lever.when == "before":
            await self._hold(lever)
            if lever.drop:
                return self._cut(request), DROPPED
            answer = lever.answer() or await handler(request)
            return answer, answer.status
        answer = await handler(request)
        await self._hold(lever)
        if lever.drop:
            return self._cut(request), DROPPED
        answer = lever.answer() or answer
        return answer, answer.status

    @staticmethod
    async def _hold(lever: Lever) -> None:
        if lever.delay > 0:
            await asyncio.sleep(lever.delay)

    @staticmethod
    def _cut(request: web.Request) -> web.Response:
        """Cuts the connection; what is returned is written into nothing."""
        transport: Any = request.transport
        if transport is not None:
            transport.abort()
        return web.Response(status=499)
