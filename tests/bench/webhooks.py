"""The edge: how many webhooks a second are on the disk and acknowledged, against servers that store nothing."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from statistics import median

from bot.config import Log
from bot.stage import Stage, staged
from tests.bench.environment import pywa_python
from tests.bench.machine import Server, Shot, on_core, served, shoot
from tests.bench.table import Row, at_least, at_most

_PEOPLE = 200
_PYWA_WANTS = "X-Hub-Signature-256: sha256=none"
"""Its route asks for the header also when it does not check it."""


Around = Callable[[Stage], AbstractAsyncContextManager[None]]


def _nothing_between(_: Stage) -> AbstractAsyncContextManager[None]:
    return nullcontext()


@asynccontextmanager
async def bot_alone(around: Around = _nothing_between) -> AsyncIterator[tuple[Stage, Server]]:
    """The real program on a core of its own, with a connected number, between simulators without rate limits.

    `around`: what stands before the simulators; it may change the settings with which the bot starts."""
    with on_core(bot=False):
        async with staged(start=False, messages_per_second=100_000) as stage, around(stage):
            stage.wa.limits.mps = stage.wa.limits.pair_burst = 0
            stage.wa.window_errors = "off"
            # A line for every try, while Rocket.Chat is away, is no news.
            quiet = stage.settings.model_copy(update={"log": Log(level="ERROR")})
            stage.settings = stage.program.settings = quiet
            with on_core(bot=True):
                await stage.start_process()
            await stage.connect()
            yield stage, hook_of(stage)


def hook_of(stage: Stage) -> Server:
    hook = stage.number.webhook
    assert hook is not None, "the bot registered itself"
    [(name, secret)] = hook["headers"].items()
    return Server(hook["url"], stage.program.pid, f"{name}: {secret}")


async def rows(turns: int, seconds: float, patience: float) -> list[Row]:
    async with AsyncExitStack() as stack:
        bare = await stack.enter_async_context(served(sys.executable, "-m", "tests.bench.peers.bare"))
        stage, ours = await stack.enter_async_context(bot_alone())
        peers = {"bare": bare, "ours": ours}
        if python := await pywa_python():
            peer = served(str(python), "tests/bench/peers/pywa_peer.py", header=_PYWA_WANTS)
            peers["pywa"] = await stack.enter_async_context(peer)
        await shoot(ours, seconds=1, people=_PEOPLE)  # everybody has a room from here on
        relayed = await _in_turns({"bare": bare, "ours": ours}, turns, seconds)
        stage.rc.levers.add("^/api/v1/livechat", times=-1, status=503)
        await shoot(ours, seconds=1, people=_PEOPLE)  # every conversation has begun to wait
        await asyncio.sleep(patience)  # after this long it knocks at Rocket.Chat twice a minute, at first every second
        stored = await _in_turns(peers, turns, seconds)
        calm = [await shoot(ours, seconds=seconds, rate=_half(stored["ours"]), people=_PEOPLE) for _ in range(turns)]
        stage.rc.levers.clear()
    found = [
        at_least(
            "durable webhooks a second ÷ bare aiohttp that stores nothing; Rocket.Chat away",
            _ratio(stored["ours"], stored["bare"]), 0.7, _rates(stored, "ours", "bare"),
        ),
        Row(
            "the same in processor time for each webhook",
            f"{_cost(stored['ours']) / _cost(stored['bare']):.2f} ({_cost(stored['ours']):.0f} µs, "
            f"{_cost(stored['bare']):.0f} µs)",
        ),
        Row(
            "the same while everything is relayed by the same core at the same time",
            f"{_ratio(relayed['ours'], relayed['bare']):.2f} ({_rates(relayed, 'ours', 'bare')})",
        ),
        at_least(
            "durable webhooks a second ÷ pywa on FastAPI and uvicorn, which stores nothing",
            _ratio(stored["ours"], stored["pywa"]), 1.5, _rates(stored, "ours", "pywa"),
        )
        if "pywa" in stored
        else Row("durable webhooks a second ÷ pywa on FastAPI and uvicorn", "skipped: pywa could not be installed"),
        _acknowledged(calm),
    ]  # fmt: skip
    refused = sum(shot.refused for shots in (*stored.values(), *relayed.values(), calm) for shot in shots)
    return [*found, at_most("webhooks not answered with 200", refused, 0, "of all in these rows")]


async def _in_turns(servers: Mapping[str, Server], turns: int, seconds: float) -> dict[str, list[Shot]]:
    found: dict[str, list[Shot]] = {name: [] for name in servers}
    for _ in range(turns):
        for name, server in servers.items():
            found[name].append(await shoot(server, seconds=seconds, people=_PEOPLE))
    return found


def _ratio(ours: Sequence[Shot], theirs: Sequence[Shot]) -> float:
    return median(a.rate / b.rate for a, b in zip(ours, theirs, strict=True))


def _cost(shots: Sequence[Shot]) -> float:
    return median(shot.cost_us for shot in shots)


def _rates(found: Mapping[str, Sequence[Shot]], *names: str) -> str:
    return ", ".join(f"{name} {median(shot.rate for shot in found[name]):.0f}/s" for name in names)


def _half(shots: Sequence[Shot]) -> float:
    return median(shot.rate for shot in shots) / 2


def _acknowledged(shots: Sequence[Shot]) -> Row:
    """360Dialog asks for a median of at most 250 ms and less than 1 % above a second (partner docs: sizing)."""
    middle, slow = median(shot.p50_ms for shot in shots), max(shot.slow for shot in shots)
    return Row(
        "time until a webhook is acknowledged, at half the highest rate",
        f"median {middle:.0f} ms, p99 {median(shot.p99_ms for shot in shots):.0f} ms, {slow:.1%} above 1 s",
        "≤ 250 ms, < 1 %",
        middle <= 250 and slow < 0.01,
    )
