"""What a page sent: texts, and files that are there only as long as they are being read."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bot.chatops.command import Desk
from bot.chatops.form import Form, FormSession, Uploaded

LARGEST = 64 * 1024
"""Bytes of a submitted form."""
LARGEST_WITH_FILE = 17 * 1024 * 1024
"""The largest video that WhatsApp takes, and the rest of the form."""


@dataclass(frozen=True, slots=True)
class Posted:
    """The first text and the first file of each name."""

    texts: Mapping[str, str]
    files: Mapping[str, web.FileField]

    @classmethod
    @asynccontextmanager
    async def read(cls, request: web.Request, largest: int) -> AsyncIterator[Posted]:
        """Raises 413 beyond `largest` bytes, 400 for what is no form. The files are gone when the block ends."""
        try:
            data = await request.clone(client_max_size=largest).post()
        except (ValueError, LookupError, RuntimeError, HttpProcessingError):  # nameless parts, unknown charsets, …
            raise web.HTTPBadRequest from None
        texts: dict[str, str] = {}
        files: dict[str, web.FileField] = {}
        with ExitStack() as closing:
            for name, value in data.items():
                if isinstance(value, str):
                    texts.setdefault(name, value)
                elif isinstance(value, web.FileField):
                    closing.callback(value.file.close)
                    if value.filename:
                        files.setdefault(name, value)
            yield cls(texts, files)


async def stored_file(form: Form, desk: Desk, session: FormSession, file: web.FileField) -> str:
    """What is stored for an upload. The file itself is given on and forgotten."""
    if form.upload is None:
        return ""
    with tempfile.TemporaryDirectory(prefix="form-") as folder:
        path = Path(folder) / "file"
        await asyncio.to_thread(_copy, file, path)
        uploaded = Uploaded(path, PurePosixPath(file.filename.replace("\\", "/")).name, file.content_type)
        return await form.upload(desk, session.filled, uploaded)


def _copy(file: web.FileField, path: Path) -> None:
    with path.open("wb") as target:
        shutil.copyfileobj(file.file, target)
