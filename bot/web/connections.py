"""Bounds on connections: how many there are, and how long one may take to say what it wants.

aiohttp bounds the size of a request's head, its headers, and pipelined requests; what it does not bound is how many
connections are open, and a head that comes in a byte at a time is only cut after the keep-alive time. Here the newest
caller always gets in: when all places are taken, the connection goes that has been without a whole request longest.
So whoever opens many connections and says nothing pushes out their own, not 360Dialog's.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

from aiohttp import web

from bot.web.deadlines import Deadlines, TimeLimit


@dataclass(frozen=True, slots=True)
class Limits:
    most: int = 1000
    """Connections at a time."""
    head: float = 20.0
    """Seconds from a connection, or from a request's first byte, until its whole head is here."""
    idle: float = 75.0
    """Seconds that a connection is kept for the next request; proxies keep theirs for 60."""
    request: float = 30.0
    """Seconds that one request may take, slow clients included, unless `server.give_time` allows more."""


class Connections:
    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._open: dict[asyncio.BaseTransport, Guard] = {}
        self._quiet: dict[asyncio.BaseTransport, None] = {}
        """Those without a request that is being answered, the longest so first."""
        self.heads: Deadlines[Guard] = Deadlines(limits.head, Guard.cut)
        self.requests = TimeLimit(limits.request)

    def guarded(self, inner: asyncio.Protocol) -> Guard:
        return Guard(inner, self)

    def begins(self, request: web.Request) -> None:
        """The head of a request is here."""
        if (transport := request.transport) in self._open:
            self._quiet.pop(transport, None)
            self._open[transport].said()

    def ends(self, request: web.Request) -> None:
        if (transport := request.transport) in self._open:
            self._quiet[transport] = None

    def is_quiet(self, transport: asyncio.BaseTransport) -> bool:
        return transport in self._quiet

    def enter(self, transport: asyncio.Transport, guard: Guard) -> bool:
        """False: every place is taken by a request that is being answered."""
        if len(self._open) >= self.limits.most:
            longest = next(iter(self._quiet), None)
            if longest is None:
                return False
            self._open[longest].cut()
        self._open[transport] = guard
        self._quiet[transport] = None
        return True

    def leave(self, transport: asyncio.BaseTransport) -> None:
        self._open.pop(transport, None)
        self._quiet.pop(transport, None)


class Guard(asyncio.Protocol):
    """Stands between a connection and the protocol that reads it."""

    def __init__(self, inner: asyncio.Protocol, connections: Connections) -> None:
        self._inner = inner
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._speaks = False
        """A head is awaited, and its time runs."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        if not self._connections.enter(transport, self):
            transport.abort()
            return
        self._transport = transport
        self._begin_head()
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        if not self._speaks and self._connections.is_quiet(self._transport):
            self._begin_head()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._transport is not None else False

    def pause_writing(self) -> None:
        if self._transport is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._transport is not None:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is None:
            return
        self._connections.leave(self._transport)
        self.said()
        self._inner.connection_lost(exc)

    def said(self) -> None:
        """The whole head has come: nobody waits for it."""
        if self._speaks:
            self._speaks = False
            self._connections.heads.end(self)

    def cut(self) -> None:
        if self._transport is not None:
            self._connections.leave(self._transport)
            self._transport.abort()

    def _begin_head(self) -> None:
        self._speaks = True
        self._connections.heads.begin(self)
