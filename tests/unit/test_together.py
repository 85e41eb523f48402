"""Several at a time, never more, and an error is the error."""

import asyncio

import pytest

from bot.relay.together import together


async def test_all_are_done_in_their_order_and_never_too_many_at_once() -> None:
    under_way, most, begun = 0, 0, []

    async def work(item: int) -> None:
        nonlocal under_way, most
        begun.append(item)
        under_way += 1
        most = max(most, under_way)
        for _ in range(item % 5):
            await asyncio.sleep(0)
        under_way -= 1

    await together(work, range(40), 7)

    assert begun == list(range(40))
    assert (most, under_way) == (7, 0)


async def test_nothing_to_do_is_done_at_once() -> None:
    await together(asyncio.sleep, [], 3)


async def test_the_first_error_ends_all_others_and_is_raised_as_it_is() -> None:
    begun, ended = [], []

    async def work(item: int) -> None:
        begun.append(item)
        if item == 1:
            raise LookupError("this one")
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(item)

    with pytest.raises(LookupError, match="this one"):
        await together(work, range(10), 3)
    assert sorted(begun) == [0, 1, 2] and sorted(ended) == [0, 2]


async def test_whoever_is_cancelled_leaves_nothing_behind() -> None:
    ended = []

    async def work(item: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(item)

    task = asyncio.create_task(together(work, range(10), 3))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(ended) == [0, 1, 2]
