"""Files of a customer's room: posted as the customer, and agents' files fetched with the visitor's token.

The bot is no member of the room, so its own login opens no file of it; the visitor's token does, also when the room is
closed (Rocket.Chat 8.3 `app/file-upload/server/lib/FileUpload.ts`, requestCanAccessFiles). With S3 or the like the
server answers with a redirect to the bucket, which is followed without any credential.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from bot.errors import BotError, FileRefused, NotAllowed, NotFound, Refused, RoomClosed, Trouble, Unreachable
from bot.model import FileRef, MessageId, RoomId, VisitorToken
from bot.rocketchat.error_ids import error_of, ids
from bot.rocketchat.http import read_answer
from bot.rocketchat.parse import clean

_TIMEOUT = aiohttp.ClientTimeout(total=600.0, sock_connect=10.0, sock_read=60.0)
_CHUNK = 64 * 1024
_HOPS = 3
_LOST, _LOST_LONGEST = 5.0, 120.0
"""Seconds in which a server that has the whole file, but whose answer was lost, may still be about to post it."""

_REFUSALS = {
    "error-type-not-allowed": "file.type_in_rocketchat",
    "error-invalid-file-type": "file.type_in_rocketchat",
    "error-file-too-large": "file.too_large_in_rocketchat",
    "error-file-upload-disabled": "file.off_in_rocketchat",
}
"""8.3 `app/livechat/imports/server/rest/upload.ts` and `app/api/server/lib/MultipartUploadHandler.ts`."""


async def upload(
    session: aiohttp.ClientSession,
    url: str,
    headers: Mapping[str, str],
    file: Path,
    *,
    name: str,
    mime_type: str,
    text: str,
) -> MessageId:
    """POST livechat/upload/:rid. `name` must not hold quotes or line breaks. The answer is the message itself."""
    began = time.monotonic()
    with await asyncio.to_thread(file.open, "rb") as content:
        form = aiohttp.FormData(quote_fields=False)  # file names are UTF-8 as they stand: percent signs would be shown
        if text:
            form.add_field("msg", text)
        form.add_field("file", content, filename=name, content_type=mime_type)
        try:
            async with session.post(
                url, data=form, headers=headers, allow_redirects=False, timeout=_TIMEOUT
            ) as response:
                answer = await read_answer(response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unreachable(type(error).__name__) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Trouble(type(error).__name__, after=may_still_post(time.monotonic() - began)) from None
    if response.status < 300 and isinstance(answer, dict) and answer.get("success") is not False:
        id = clean(answer.get("_id"))
        if not id and isinstance(answer.get("message"), dict):
            id = clean(answer["message"].get("_id"))
        if id:
            return MessageId(id)
        raise Trouble("the answer holds no _id", after=_LOST)
    refusal = _refusal(response.status, answer, name, mime_type)
    if isinstance(refusal, Trouble) and refusal.after is None:  # a proxy does not wait for what goes on behind it
        refusal.after = may_still_post(time.monotonic() - began)
    raise refusal


def may_still_post(seconds: float) -> float:
    """For how long after an answer that was lost, when the server had so many seconds: whoever is slow stays slow."""
    return min(max(_LOST, seconds), _LOST_LONGEST)


def _refusal(status: int, answer: object, name: str, mime_type: str) -> BotError:
    """403 without an id stands for everything about visitor and room. Any other refusal is the file's."""
    found = next((_REFUSALS[id] for id in ids(answer) if id in _REFUSALS), "") if isinstance(answer, dict) else ""
    if status == 413:
        found = "file.too_large_in_rocketchat"
    if found:
        return FileRefused(found, name=name, type=mime_type)
    error = error_of(status, answer)
    if isinstance(error, NotAllowed):
        return RoomClosed(error.said)
    return FileRefused("error.refused", error.said, name=name) if type(error) is Refused else error


async def download(
    session: aiohttp.ClientSession, base: str, room: RoomId, token: VisitorToken, file: FileRef
) -> AsyncGenerator[bytes, None]:
    """GET /file-upload/:id/:name; only the id counts there."""
    query = urlencode({"rc_room_type": "l", "rc_rid": room, "rc_token": token}, quote_via=quote)
    path = f"/file-upload/{quote(file.id, safe='')}/{quote(file.name or 'file', safe='')}"
    address = URL(f"{base}{path}?{query}", encoded=True)
    try:
        for _ in range(_HOPS):
            async with session.get(address, allow_redirects=False, timeout=_TIMEOUT) as response:
                if response.status in (301, 302, 303, 307, 308):
                    address = _elsewhere(address, response.headers.get("Location", ""), file)
                    continue
                if 400 <= response.status < 500 and response.content_type == "text/html":
                    raise Trouble(f"HTTP {response.status} with a page")  # Rocket.Chat refuses without a body
                if response.status in (401, 403):
                    raise NotAllowed("Rocket.Chat does not give the file out")
                if response.status in (404, 410):
                    raise NotFound("the file is not in Rocket.Chat any more")
                if response.status != 200:
                    refused = 400 <= response.status < 500 and response.status not in (408, 425, 429)
                    raise (NotAllowed if refused else Trouble)(f"HTTP {response.status}")
                if response.content_type == "text/html" and file.mime_type and "html" not in file.mime_type:
                    raise Trouble("a page came instead of the file")  # of a proxy: maintenance, or its own login
                async for chunk in response.content.iter_chunked(_CHUNK):
                    yield chunk
                return
        raise FileRefused("file.unsafe_address", "the file's address leads on and on", name=file.name)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise Unreachable(type(error).__name__) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Trouble(type(error).__name__) from None


def _elsewhere(here: URL, location: str, file: FileRef) -> URL:
    """A signed address stays byte for byte; plain HTTP is followed only where we are already."""
    try:
        there = URL(location, encoded=True)
        there = there if there.scheme else here.join(there)
        safe = location and not there.user and (there.scheme == "https" or there.origin() == here.origin())
    except ValueError:
        safe = False
    if not safe:
        raise FileRefused("file.unsafe_address", "the file's address leads to a place that is not safe", name=file.name)
    return there
