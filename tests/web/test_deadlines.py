"""One timer for many waits: each ends when its own time is over, and nothing else does."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from bot.web.deadlines import Deadlines, TimeLimit


async def test_who_does_not_end_in_time_is_called_in_the_order_of_beginning() -> None:
    over: list[str] = []
    last = asyncio.Event()

    def called(name: str) -> None:
        over.append(name)
        if name == "last":
            last.set()

    deadlines = Deadlines(0.05, called)
    for name in ("first", "ended", "again", "second"):
        deadlines.begin(name)
    deadlines.end("ended")
    deadlines.begin("again")
    deadlines.begin("last")

    async with asyncio.timeout(5):
        await last.wait()
    assert over == ["first", "second", "again", "last"]


async def test_one_that_begins_after_all_are_over_has_its_time_too() -> None:
    told: asyncio.Queue[int] = asyncio.Queue()
    deadlines = Deadlines(0.02, told.put_nowait)
    for number in range(3):
        deadlines.begin(number)
        async with asyncio.timeout(5):
            assert await told.get() == number


async def test_one_that_is_over_may_end_another() -> None:
    over: list[str] = []
    done = asyncio.Event()

    def called(name: str) -> None:
        over.append(name)
        deadlines.end("friend")
        if name == "last":
            done.set()

    deadlines = Deadlines(0.02, called)
    for name in ("one", "friend", "last"):
        deadlines.begin(name)
    async with asyncio.timeout(5):
        await done.wait()
    assert over == ["one", "last"]


async def test_work_in_time_gives_its_result_and_its_error() -> None:
    limit = TimeLimit(5)

    async def works() -> int:
        await asyncio.sleep(0)
        return 7

    async def fails() -> int:
        raise LookupError("not here")

    assert await limit.keep(works()) == 7
    with pytest.raises(LookupError, match="not here"):
        await limit.keep(fails())


async def test_work_that_takes_too_long_is_cancelled_and_its_task_goes_on() -> None:
    limit, never, ended = TimeLimit(0.02), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            await never.wait()
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        await limit.keep(work())
    assert ended.is_set()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)  # nothing is left that would cancel it now


async def test_who_is_given_time_has_that_time_and_no_more() -> None:
    limit, never, others = TimeLimit(0.02), asyncio.Event(), TimeLimit(0.1)

    async def work(seconds: float) -> str:
        limit.give(60)
        limit.give(seconds)
        with suppress(TimeoutError):
            await others.keep(never.wait())
        return "done"

    assert await limit.keep(work(60)) == "done"
    with pytest.raises(TimeoutError):
        await limit.keep(work(0.01))
    with pytest.raises(TimeoutError):
        await limit.keep(never.wait())


async def test_who_is_cancelled_from_outside_is_cancelled() -> None:
    limit, never, begun = TimeLimit(60), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await never.wait()

    task = asyncio.create_task(limit.keep(work()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_is_cancelled_and_late_at_once_is_cancelled() -> None:
    limit, never, held = TimeLimit(0.02), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            await never.wait()
        except asyncio.CancelledError:
            held.set()
            await never.wait()  # slow to go, so that both come together

    task = asyncio.create_task(limit.keep(work()))
    await held.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_limits_stand_within_each_other() -> None:
    outer, inner, never = TimeLimit(0.02), TimeLimit(60), asyncio.Event()

    with pytest.raises(TimeoutError):
        await outer.keep(inner.keep(never.wait()))
    with pytest.raises(TimeoutError):
        await inner.keep(outer.keep(never.wait()))
