"""A process whose loop hangs ends itself; one that works, or has ended its work, is left alone."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, time
from bot.cli.run import ends_when_hung

async def hang():
    token = "a secret"
    until = time.process_time() + {hang}
    while time.process_time() < until:
        pass

async def main():
    async with ends_when_hung({after}):
        await asyncio.sleep({work})
        await hang()
    {afterwards}

asyncio.run(main())
"""


def run(*, after: float, work: float, hang: float, afterwards: str = "pass") -> subprocess.CompletedProcess[str]:
    """Seconds: patience, work in which the loop gets its turns, and a call that keeps the loop."""
    program = PROGRAM.format(after=after, work=work, hang=hang, afterwards=afterwards)
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_loop_that_hangs_ends_the_process_and_says_where() -> None:
    done = run(after=0.2, work=0, hang=50)

    assert done.returncode == -signal.SIGPROF  # to a service manager a failure, after which it starts it again
    assert "in hang" in done.stderr and "in main" in done.stderr
    assert "a secret" not in done.stderr


def test_whoever_gets_turns_lives() -> None:
    done = run(after=4, work=5, hang=0)

    assert (done.returncode, done.stderr) == (0, "")


def test_what_comes_after_the_work_is_not_watched() -> None:
    done = run(after=1, work=0, hang=0, afterwards="sum(range(60_000_000)); print('alive')")

    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")


def test_a_process_that_is_stopped_for_a_while_goes_on_afterwards() -> None:
    program = PROGRAM.format(after=0.5, work=1, hang=0, afterwards="print('alive')")
    program = program.replace("async with", "print('begun', flush=True)\n    async with")
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        process.send_signal(signal.SIGCONT)

        assert process.stdout.read() == "alive\n"
        assert process.wait(30) == 0
