"""What the bot counts and times, in Prometheus' terms. No label ever holds a number, a person, a room or a key.

On the road of a message stand only counters of this process: a few microseconds each. What takes a look into the
journal is asked for when somebody reads `/metrics`, and not more often than every few seconds.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any, get_args

import aiohttp
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from yarl import URL

from bot import VERSION
from bot.ports import Backlog, Kind

PREFIX = "wa360d_"
OUTCOMES = ("done", "again", "unsure", "dead")
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ACK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds. 360Dialog wants half of its webhooks answered within 0.25, and 99 of 100 within 1."""
_COMMIT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
_CALL = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_AGE = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200, 86400)
_FRESH = 5.0


@dataclass(frozen=True, slots=True)
class State:
    """How the bot is at the moment of a look."""

    ready: bool
    connected: bool
    connections: int
    """To Rocket.Chat, that became ready so far; all but the first are reconnects."""
    heard_at: float
    """Unix seconds of the last frame from Rocket.Chat; 0: none yet."""
    backlog: Mapping[Kind, Backlog] = field(default_factory=dict)
    dead: int = 0


class Metrics:
    """One bot's. Several in one process, as in tests, do not know of each other."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._entries = Counter(
            f"{PREFIX}entries", "Entries that were worked on, by what became of them.", ("kind", "outcome"),
            registry=self.registry,
        )  # fmt: skip
        self._age = Histogram(
            f"{PREFIX}entry_age_seconds", "From an entry's arrival until it was done.", ("kind",),
            buckets=_AGE, registry=self.registry,
        )  # fmt: skip
        self._requests = Histogram(
            f"{PREFIX}http_request_seconds", "Answers of the bot's own web server; a webhook's is its acknowledgement.",
            ("route", "method", "status"), buckets=_ACK, registry=self.registry,
        )  # fmt: skip
        self._calls = Histogram(
            f"{PREFIX}call_seconds", "Calls to Rocket.Chat, 360Dialog and the status endpoint.", ("server", "result"),
            buckets=_CALL, registry=self.registry,
        )  # fmt: skip
        self._commits = Histogram(
            f"{PREFIX}journal_commit_seconds", "Commits of the SQLite journal until they are on the disk.",
            buckets=_COMMIT, registry=self.registry,
        )  # fmt: skip
        self._operations = Counter(
            f"{PREFIX}journal_operations", "Changes of the SQLite journal; several share a commit.",
            registry=self.registry,
        )  # fmt: skip
        Gauge(
            f"{PREFIX}build_info", "Always 1.", ("version", "python"), registry=self.registry
        ).labels(VERSION, platform.python_version()).set(1)  # fmt: skip
        ProcessCollector(namespace=PREFIX.rstrip("_"), registry=self.registry)
        self._state = State(False, False, 0, 0.0)
        self.registry.register(_Now(lambda: self._state))
        # Looking a child up by its labels costs more than counting.
        self._entry_of, self._age_of = cache(self._entries.labels), cache(self._age.labels)
        self._request_of, self._call_of = cache(self._requests.labels), cache(self._calls.labels)
        # A series that appears with its first event is no increase for Prometheus: the first dead letter was silent.
        for kind, outcome in product(get_args(Kind), OUTCOMES):
            self._entry_of(kind, outcome)

    # --- on the road: what each part is given -----------------------------------------------------------------------

    def entry(self, kind: Kind, outcome: str, age: float) -> None:
        """`outcome`: one of `OUTCOMES`."""
        self._entry_of(kind, outcome).inc()
        if outcome == "done":
            self._age_of(kind).observe(max(age, 0.0))

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """`route` is the pattern of the address, never the address."""
        self._request_of(route, method, str(status)).observe(seconds)

    def commit(self, operations: int, seconds: float) -> None:
        """Called by the journal's own thread."""
        self._commits.observe(seconds)
        self._operations.inc(operations)

    def call(self, server: str, status: int | None, seconds: float) -> None:
        """`status` None: there was no answer. May be called in any thread."""
        self._call_of(server, "lost" if status is None else _result(status)).observe(seconds)

    def tracing(self, servers: Mapping[str, str], other: str = "other") -> aiohttp.TraceConfig:
        """`servers`: base address → label. Calls to others are counted as `other`."""
        origins = {URL(base).origin(): name for base, name in servers.items()}

        async def begin(_: aiohttp.ClientSession, context: Any, params: aiohttp.TraceRequestStartParams) -> None:
            context.server, context.began = origins.get(params.url.origin(), other), time.perf_counter()

        async def end(_: aiohttp.ClientSession, context: Any, params: aiohttp.TraceRequestEndParams) -> None:
            self.call(context.server, params.response.status, time.perf_counter() - context.began)

        async def lost(_: aiohttp.ClientSession, context: Any, params: aiohttp.TraceRequestExceptionParams) -> None:
            self.call(context.server, None, time.perf_counter() - context.began)

        config = aiohttp.TraceConfig()
        config.on_request_start.append(begin)
        config.on_request_end.append(end)
        config.on_request_exception.append(lost)
        return config

    # --- being read -------------------------------------------------------------------------------------------------

    def text(self, state: State) -> bytes:
        self._state = state
        return generate_latest(self.registry)


class Glance:
    """Remembers the last look for a few seconds: many readers cost no more than one."""

    def __init__(self, look: Callable[[], Awaitable[State]]) -> None:
        self._look = look
        self._seen: tuple[float, State] | None = None

    async def state(self) -> State:
        now = time.monotonic()
        if self._seen is None or now - self._seen[0] > _FRESH:
            self._seen = (now, await self._look())
        return self._seen[1]


def _result(status: int) -> str:
    if status < 400:
        return "ok"
    if status == 429:
        return "limited"
    return "refused" if status < 500 else "failed"


class _Now:
    """What is true at the moment of reading."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        state, now = self._state(), time.time()
        waiting = GaugeMetricFamily(f"{PREFIX}waiting_entries", "Entries that wait, by kind.", labels=("kind",))
        oldest = GaugeMetricFamily(
            f"{PREFIX}oldest_waiting_seconds", "How long the oldest waiting entry has waited; 0: none.",
            labels=("kind",),
        )  # fmt: skip
        for kind in get_args(Kind):
            found = state.backlog.get(kind)
            waiting.add_metric((kind,), found.waiting if found else 0)
            oldest.add_metric((kind,), max(now - found.oldest, 0.0) if found else 0.0)
        yield waiting
        yield oldest
        for name, about, value in (
            ("dead_letters", "Entries that could not be delivered and wait for a person.", state.dead),
            (
                "ready",
                "1: it has been connected and caught up since its start, and stores what comes.",
                int(state.ready),
            ),
            ("rocketchat_connected", "1: the websocket to Rocket.Chat is ready.", int(state.connected)),
            ("rocketchat_heard_timestamp_seconds", "When the websocket last brought anything.", state.heard_at),
        ):
            yield GaugeMetricFamily(f"{PREFIX}{name}", about, value=value)
        yield CounterMetricFamily(
            f"{PREFIX}rocketchat_connections", "Websocket connections that became ready.", value=state.connections
        )
