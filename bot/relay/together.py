"""Does the same work for many items, a few of them at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def together(work: Callable[[T], Awaitable[object]], items: Iterable[T], most: int) -> None:
    """The items are begun in their order, and at most `most` are under way at once. The first error cancels the others
    and is raised as it is."""
    rest = iter(items)

    async def one_after_another() -> None:
        for item in rest:
            await work(item)

    tasks = [asyncio.create_task(one_after_another()) for _ in range(most)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
