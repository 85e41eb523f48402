"""Files on their way: on disk, never whole in memory, and gone when their work is done."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.errors import Trouble

_HEAD = 256


class OverLimit(Exception):
    """More bytes came than are allowed."""


@dataclass(frozen=True, slots=True)
class Filled:
    size: int
    sha256: bytes
    head: bytes
    """The first bytes, which tell the type."""


class Spool:
    """`folder` belongs to this process alone: what a crash left in it is removed at start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        shutil.rmtree(folder, ignore_errors=True)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Path]:
        """An own folder for the files of one entry."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            place = Path(tempfile.mkdtemp(dir=self._folder))
        except OSError as error:
            raise Trouble(f"no place for files: {error.strerror}") from None
        try:
            yield place
        finally:
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)


async def fill(path: Path, chunks: AsyncGenerator[bytes, None], largest: int) -> Filled:
    """Writes the stream into the file and closes the stream. Raises OverLimit as soon as it is too long."""
    hashed, size, head = hashlib.sha256(), 0, b""
    async with aclosing(chunks):
        try:
            with await asyncio.to_thread(path.open, "wb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > largest:
                        raise OverLimit
                    head = head or chunk[:_HEAD]
                    hashed.update(chunk)
                    file.write(chunk)
        except OSError as error:
            raise Trouble(f"the file cannot be stored: {error.strerror}") from None
    return Filled(size, hashed.digest(), head)
