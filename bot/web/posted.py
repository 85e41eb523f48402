"""What a page sent: texts, and files that are there only as long as they are being read.

A file that is too large is read to its end and thrown away: what was typed stands behind it, and a browser that is cut
off while it sends shows no answer.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from bot.chatops.command import Desk
from bot.chatops.form import Form, FormSession, Uploaded
from bot.errors import Invalid

LARGEST = 64 * 1024
"""Bytes of a submitted form without its files."""
LARGEST_FILE_MB = 16
"""The largest video that WhatsApp takes."""
_LARGEST_FILE = LARGEST_FILE_MB * 1024 * 1024
_MOST_READ = 128 * 1024 * 1024
"""A page that holds more than this is not read to its end: no upload lasts that long."""
_PARTS = 1000
_BYTES = "application/octet-stream"
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class SentFile:
    """`content` None: it is too large, and gone."""

    name: str
    mime_type: str
    content: IO[bytes] | None


@dataclass(frozen=True, slots=True)
class Posted:
    """The first text and the first file of each name."""

    texts: Mapping[str, str]
    files: Mapping[str, SentFile]

    @classmethod
    @asynccontextmanager
    async def read(cls, request: web.Request, *, files: bool) -> AsyncIterator[Posted]:
        """Raises 413 for too much text, or for more than would be read to its end; 400 for what is no form. The files
        are gone when the block ends."""
        with ExitStack() as closing:
            try:
                if request.content_type == "multipart/form-data":
                    posted = await _of_parts(request, closing, _MOST_READ if files else LARGEST)
                else:
                    posted = await _of_texts(request)
            except (ValueError, LookupError, RuntimeError, HttpProcessingError):  # nameless parts, unknown charsets, …
                raise web.HTTPBadRequest from None
            yield posted


async def _of_texts(request: web.Request) -> Posted:
    texts: dict[str, str] = {}
    for name, value in (await request.clone(client_max_size=LARGEST).post()).items():
        if isinstance(value, str):
            texts.setdefault(name, value)
    return Posted(texts, {})


async def _of_parts(request: web.Request, closing: ExitStack, most: int) -> Posted:
    """`most`: bytes that are read."""
    if (request.content_length or 0) > most:
        raise web.HTTPRequestEntityTooLarge(most)
    texts: dict[str, str] = {}
    files: dict[str, SentFile] = {}
    length = parts = 0
    reader = await request.clone(client_max_size=most).multipart()
    while (part := await reader.next()) is not None:
        parts += 1
        if not isinstance(part, BodyPartReader) or part.name is None or parts > _PARTS or _is_packed(part):
            raise ValueError("no form")
        if part.filename:
            file = SentFile(
                part.filename, part.headers.get("Content-Type", _BYTES), await _kept(request, part, closing, most)
            )
            files.setdefault(part.name, file)
            continue
        raw = bytearray()
        async for chunk in _chunks(request, part, most):
            raw += chunk
            length += len(chunk)
            if length > LARGEST:
                raise web.HTTPRequestEntityTooLarge(LARGEST)
        if part.headers.get("Content-Type", "text/").startswith("text/"):  # else no file was chosen
            texts.setdefault(part.name, raw.decode(part.get_charset(default="utf-8")))
    return Posted(texts, files)


def _is_packed(part: BodyPartReader) -> bool:
    """No browser packs what it sends (RFC 7578, 4.7), and little could become much: many files of 16 MB each."""
    packed, written = part.headers.get("Content-Encoding"), part.headers.get("Content-Transfer-Encoding", "binary")
    return packed is not None or written.lower() not in ("binary", "8bit", "7bit")


async def _chunks(request: web.Request, part: BodyPartReader, most: int) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(_CHUNK):
        if request.content.total_bytes > most:
            raise web.HTTPRequestEntityTooLarge(most)
        yield bytes(chunk)


async def _kept(request: web.Request, part: BodyPartReader, closing: ExitStack, most: int) -> IO[bytes] | None:
    file = closing.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack is given
    length = 0
    async for chunk in _chunks(request, part, most):
        length += len(chunk)
        if length <= _LARGEST_FILE:
            await asyncio.to_thread(file.write, chunk)
        elif not file.closed:
            file.close()
    if file.closed:
        return None
    file.seek(0)
    return file


async def stored_file(form: Form, desk: Desk, session: FormSession, name: str, file: SentFile) -> str:
    """What is stored for an upload. The file itself is given on and forgotten. Raises Invalid."""
    if form.upload is None:
        return ""
    if file.content is None:
        raise Invalid("form.file_too_large", name, n=LARGEST_FILE_MB)
    with tempfile.TemporaryDirectory(prefix="form-") as folder:
        path = Path(folder) / "file"
        await asyncio.to_thread(_copy, file.content, path)
        uploaded = Uploaded(path, PurePosixPath(file.name.replace("\\", "/")).name, file.mime_type)
        return await form.upload(desk, session.filled, uploaded)


def _copy(file: IO[bytes], path: Path) -> None:
    with path.open("wb") as target:
        shutil.copyfileobj(file, target)
