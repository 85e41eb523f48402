"""Uploads: a form with one file in a part named `file`.

Source: Rocket.Chat apps/meteor/app/api/server/lib/MultipartUploadHandler.ts.
"""

from __future__ import annotations

from aiohttp import BodyPartReader

from bot.sandbox.rocketchat.rest import Context
from bot.sandbox.rocketchat.wire import MeteorError


async def read_form(c: Context) -> tuple[dict[str, str], tuple[str, str, bytes] | None]:
    """The text fields, and name, MIME type and content of the file; a part without a type is an octet stream."""
    fields: dict[str, str] = {}
    file: tuple[str, str, bytes] | None = None
    if not c.request.content_type.startswith("multipart/"):
        return fields, None
    async for part in await c.request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        if part.filename is None:
            fields[part.name or ""] = (await part.read(decode=True)).decode()
        elif part.name != "file":
            raise MeteorError("invalid-field")
        elif file is not None:
            raise MeteorError("error-too-many-files")
        else:
            mime = part.headers.get("Content-Type", "application/octet-stream").partition(";")[0].strip()
            file = (part.filename, mime, bytes(await part.read(decode=True)))
    return fields, file
