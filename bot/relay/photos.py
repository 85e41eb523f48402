"""Pictures that WhatsApp does not take become such as it shows, one at a time.

The largest that are opened take half a gigabyte, some three quarters, and a core for a second or two. An album that is
sent in many conversations at once must not take the machine from everybody else, nor memory beyond a container's limit:
the bot would be killed, begin with the same pictures again, and be killed again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from bot.whatsapp import pictures

AT_ONCE = 1


@dataclass(frozen=True, slots=True)
class Photo:
    path: Path
    mime_type: str
    still: bool
    """The first picture of a moving one."""


class Photos:
    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def of(self, path: Path) -> Photo | None:
        """Made beside the file; None when it cannot be read as a picture."""
        async with self._turn:
            made = await asyncio.to_thread(pictures.converted, path)
            still = made is not None and await asyncio.to_thread(pictures.moves, path)
        if made is None:
            return None
        content, mime_type = made
        fresh = path.with_name(f"{path.name}.photo")
        await asyncio.to_thread(fresh.write_bytes, content)
        return Photo(fresh, mime_type, still)
