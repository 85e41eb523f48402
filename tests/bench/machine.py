"""Cores, processes and what they cost."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def machine() -> str:
    """Processor, cores, Python."""
    said = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    models = [line.partition(":")[2].strip() for line in said.splitlines() if line.startswith("model name")]
    processor = models[0] if models else platform.machine()
    return f"{processor}, {len(_CORES) or 1} cores, Python {platform.python_version()}"


def load_average() -> str:
    """Of the last minute: programs that want a core. More than a few tenths at the start: others work here too."""
    return f"{os.getloadavg()[0]:.1f}"


@contextmanager
def on_core(*, bot: bool) -> Iterator[None]:
    """What is started inside runs on the bot's core, or on all others. One core alone is shared."""
    if len(_CORES) < 2:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, _CORES[:1] if bot else _CORES[1:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


async def until(reached: Callable[[], bool], every: float = 0.2, timeout: float = 3600) -> None:
    """Asked a few times a second only: counting everything after every message would be the load."""
    async with asyncio.timeout(timeout):
        while not reached():  # noqa: ASYNC110 - see above
            await asyncio.sleep(every)


def processor_seconds(pid: int) -> float:
    """That the process has used so far, of user and system time, all threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Resident."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@dataclass(frozen=True)
class Server:
    url: str
    pid: int
    header: str = ""


@asynccontextmanager
async def served(*command: str, header: str = "") -> AsyncIterator[Server]:
    """A peer: a program that prints its port, on the bot's core."""
    with on_core(bot=True):
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        port = int(await asyncio.wait_for(process.stdout.readline(), 60))
        yield Server(f"http://127.0.0.1:{port}/incoming", process.pid, header)
    finally:
        process.kill()
        await process.wait()


@dataclass(frozen=True)
class Shot:
    """What one run of the load found."""

    rate: float
    p50_ms: float
    p99_ms: float
    slow: float
    refused: int
    cost_us: float
    """Processor time of the server for each request, in microseconds."""


async def shoot(server: Server, **options: float | int) -> Shot:
    """One run of the load against a server."""
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    with on_core(bot=False):
        load = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.load", server.url, "--header", server.header, *arguments,
            cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
    before = processor_seconds(server.pid)
    output, _ = await load.communicate()
    spent = processor_seconds(server.pid) - before
    found = json.loads(output)
    answers = found["ok"] + found["other"]
    return Shot(
        rate=found["ok"] / found["seconds"],
        p50_ms=found["p50_ms"],
        p99_ms=found["p99_ms"],
        slow=found["slow"],
        refused=found["other"],
        cost_us=spent / max(answers, 1) * 1e6,
    )
