"""Pictures that WhatsApp does not take become such as it shows, a few at a time.

Sixty million pixels, the most that are opened, take a quarter of a gigabyte and a core for a second: an album that is
sent in many conversations at once must not take the whole machine from everybody else.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from bot.whatsapp import pictures

AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Photo:
    path: Path
    mime_type: str
    still: bool
    """The first picture of a moving one."""


class Photos:
    def __init__(self) -> None:
        self._few = asyncio.Semaphore(AT_ONCE)

    async def of(self, path: Path) -> Photo | None:
        """Made beside the file; None when it cannot be read as a picture."""
        async with self._few:
            made = await asyncio.to_thread(pictures.converted, path)
        if made is None:
            return None
        content, mime_type = made
        fresh = path.with_name(f"{path.name}.photo")
        await asyncio.to_thread(fresh.write_bytes, content)
        return Photo(fresh, mime_type, await asyncio.to_thread(pictures.moves, path))
