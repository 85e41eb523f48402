"""360Dialog's Cloud API over HTTP: fits the port `WhatsApp`.

Documented at docs.360dialog.com (messaging API reference). The key travels only in the header `D360-API-KEY` and
selects the number; it is never in an address, a log or an error, which is why errors of aiohttp, whose request headers
hold it, are not chained. Redirects are not followed: the key would go with them.

What a failure means depends on what had left us: without a connection nothing was handed over (`Unreachable`); a lost
answer of a send leaves it unsure; reads and the webhook setting can be repeated (`Trouble`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    FormData,
    InvalidURL,
    StreamReader,
)
from yarl import URL

from bot.errors import (
    BotError,
    Doubtful,
    FileRefused,
    InvalidRequest,
    KeyInvalid,
    MediaRefused,
    NotFound,
    RateLimited,
    Trouble,
    Unreachable,
    Unsure,
)
from bot.model import Health, Hook, MediaFile, Sent, Wamid
from bot.ports import Json, WhatsApp
from bot.whatsapp.error_codes import from_answer
from bot.whatsapp.media_source import download_url
from bot.whatsapp.paces import Paces
from bot.whatsapp.raw import items, line, number, obj, phone_digits, text
from bot.whatsapp.template_pages import all_templates

LARGEST = 1024 * 1024
"""Bytes of an answer that are read."""
_CHUNK = 64 * 1024
_FILE_TIMEOUT = 600.0
"""Seconds for 100 MB on a slow line."""
_HEALTH = "health_status,display_phone_number,verified_name,quality_rating"
_MOST_PROBLEMS = 20


class Dialog360:
    """`session` belongs to the caller. Its connector should drop idle connections sooner than the server does (a few
    seconds): a request on a connection that just died is lost with an unsure outcome."""

    def __init__(
        self,
        session: ClientSession,
        base_url: str,
        paces: Paces | None = None,
        *,
        connect_timeout: float = 10.0,
        answer_timeout: float = 30.0,
    ) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._timeout = ClientTimeout(
            total=connect_timeout + 2 * answer_timeout, connect=connect_timeout, sock_read=answer_timeout
        )
        self._paces = paces or Paces()

    async def turn(self, api_key: str, *, bulk: bool = False) -> None:
        await self._paces.turn(api_key, bulk=bulk)

    async def send(self, api_key: str, body: Json) -> Sent:
        """POST /messages (Meta: whatsapp/messages/send-messages). 200 means accepted, not delivered; 5xx, also with a
        reason, may come after the message was taken (docs.360dialog.com: a resilient message sending service)."""
        answer = await self._call("POST", "/messages", api_key, body=body)
        accepted = obj(next(iter(items(obj(answer.json).get("messages"))), None))
        wamid = text(accepted.get("id"))
        if answer.status >= 300 or not wamid:
            error = answer.error()
            if isinstance(error, RateLimited):
                self._paces.refused(api_key, error)
            if isinstance(error, Trouble) and (answer.status >= 500 or answer.status == 408):
                error = _doubtful(error)
            if isinstance(error, NotFound):  # the address itself: nothing was asked for that could have been deleted
                refused = InvalidRequest(error.said)
                refused.values.update(error.values)
                raise refused
            raise error
        contact = obj(next(iter(items(obj(answer.json).get("contacts"))), None))
        return Sent(Wamid(wamid), text(contact.get("wa_id")) or text(contact.get("user_id")))

    async def media(self, api_key: str, id: str) -> MediaFile:
        """GET /{media-id}. `file_size` is a number or a text. An id that has expired or was never one is answered with
        404, or by Meta with code 100 (Graph API, "unsupported get request", subcode 33): either is NotFound."""
        if not (id.isascii() and id.isalnum() and len(id) <= 200):
            raise NotFound("not the form of a media id")
        try:
            answer = await self._read("GET", f"/{id}", api_key)
        except (InvalidRequest, MediaRefused) as error:
            raise NotFound(error.said) from None
        size = number(answer.get("file_size"))
        return MediaFile(
            url=text(answer.get("url")),
            mime_type=line(answer.get("mime_type")),
            sha256=line(answer.get("sha256")),
            size=int(size) if size is not None and size > 0 else 0,
        )

    async def fetch(self, api_key: str, url: str) -> AsyncGenerator[bytes, None]:
        """GET of Meta's address at our base address; only there does the key go (docs.360dialog.com: media)."""
        address = download_url(url, self._base_url)
        if address is None:
            raise FileRefused("file.unsafe_address", "the address of the file is not one of WhatsApp's")
        try:
            async with self._session.get(
                URL(address, encoded=True), headers={"D360-API-KEY": api_key},
                allow_redirects=False, timeout=self._long(),
            ) as response:  # fmt: skip
                if 300 <= response.status < 400:
                    raise FileRefused("file.unsafe_address", "the address of the file leads elsewhere")
                if response.status >= 300:
                    said = (await _bounded(response.content)).decode("utf-8", "replace").replace(api_key, "…")
                    raise from_answer(response.status, said, response.headers.get("Retry-After"), optional=True)
                async for chunk in response.content.iter_chunked(_CHUNK):
                    yield chunk
        except (ClientConnectorError, ConnectionTimeoutError, InvalidURL) as error:
            raise Unreachable(type(error).__name__) from None
        except (ClientError, TimeoutError, OSError) as error:
            raise Trouble(type(error).__name__) from None
        except Unsure as unsure:
            raise Trouble(unsure.said) from None

    async def upload(self, api_key: str, file: Path, *, name: str, mime_type: str) -> str:
        """POST /media; the part names its real type (Meta: whatsapp/business-phone-numbers/media). An upload that is
        never sent by id does nothing, so a lost answer is no harm."""
        await self._paces.upload(api_key)
        with await asyncio.to_thread(file.open, "rb") as content:
            form = FormData(quote_fields=False)
            form.add_field("messaging_product", "whatsapp")
            form.add_field("type", mime_type)
            form.add_field("file", content, filename=name, content_type=mime_type)
            try:
                answer = await self._call("POST", "/media", api_key, form=form)
                id = text(obj(answer.json).get("id"))
                if answer.status >= 300 or not id:
                    raise answer.error()
            except Unsure as unsure:
                raise Trouble(unsure.said) from None
            except InvalidRequest as error:
                refused = MediaRefused(error.said)
                refused.values.update(error.values)
                raise refused from None
            return id

    async def check(self, api_key: str) -> Health:
        """GET /health_status: the cheapest call that proves a key (docs.360dialog.com: health status)."""
        answer = await self._read("GET", "/health_status", api_key, params={"fields": _HEALTH})
        health = obj(answer.get("health_status"))
        entities = [obj(entity) for entity in items(health.get("entities"))]
        number: Mapping[str, Any] = next((one for one in entities if one.get("entity_type") == "PHONE_NUMBER"), {})
        digits = phone_digits(line(answer.get("display_phone_number")))
        return Health(
            can_send=line(health.get("can_send_message")).upper(),
            phone=f"+{digits}" if digits else "",
            phone_number_id=line(answer.get("id")) or line(number.get("id")),
            name=line(answer.get("verified_name")),
            quality=line(answer.get("quality_rating")).upper(),
            problems=tuple(dict.fromkeys(problem for entity in entities for problem in _problems(entity)))[
                :_MOST_PROBLEMS
            ],
        )

    async def templates(self, api_key: str) -> list[Json]:
        """GET /message_templates; where that is not known, GET /v1/configs/templates."""
        return list(await all_templates(lambda path, query: self._read("GET", path, api_key, params=query)))

    async def webhook(self, api_key: str) -> Hook | None:
        """GET /v1/configs/webhook: `{url, headers}`. A number that never had one answers 404 or an empty address."""
        try:
            answer = await self._read("GET", "/v1/configs/webhook", api_key)
        except NotFound:
            return None
        url, headers = text(answer.get("url")), answer.get("headers")
        told = {line(name): text(value) for name, value in headers.items()} if isinstance(headers, dict) else None
        return Hook(url, told) if url else None

    async def set_webhook(self, api_key: str, url: str, headers: Mapping[str, str]) -> None:
        """POST /v1/configs/webhook: 360Dialog sends `headers` with every delivery. Saying it twice is harmless."""
        await self._read("POST", "/v1/configs/webhook", api_key, body={"url": url, "headers": dict(headers)})

    async def _read(
        self, method: str, path: str, api_key: str, *, body: Json | None = None, params: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """A call that can be repeated, so nothing about it is ever unsure."""
        try:
            answer = await self._call(method, path, api_key, body=body, params=params)
            if answer.status >= 300 or (method == "GET" and answer.json is None):
                raise answer.error(optional=method == "GET")
        except Unsure as unsure:
            raise Trouble(unsure.said) from None
        return obj(answer.json)

    def _long(self) -> ClientTimeout:
        return ClientTimeout(total=_FILE_TIMEOUT, connect=self._timeout.connect, sock_read=self._timeout.sock_read)

    async def _call(
        self,
        method: str,
        path: str,
        api_key: str,
        *,
        body: Json | None = None,
        form: FormData | None = None,
        params: Mapping[str, str] | None = None,
    ) -> _Answer:
        """Raises KeyInvalid, Unreachable and Unsure; any answer is an answer, also without a body."""
        if not _may_be_key(api_key):
            raise KeyInvalid("not the form of an API key")
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        headers = {"D360-API-KEY": api_key, "Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        status, retry_after = 0, None
        try:
            async with self._session.request(
                method, self._base_url + path, params=params, data=form or data, headers=headers,
                allow_redirects=False, timeout=self._long() if form else self._timeout,
            ) as response:  # fmt: skip
                status, retry_after = response.status, response.headers.get("Retry-After")
                content = await _bounded(response.content)
        except (ClientConnectorError, ConnectionTimeoutError, InvalidURL) as error:
            raise Unreachable(type(error).__name__) from None
        except (ClientError, TimeoutError, OSError) as error:
            if status < 300:
                raise Unsure(type(error).__name__) from None
            content = b""  # the status alone has to do
        return _Answer(status, _json(content), content.decode("utf-8", "replace").replace(api_key, "…"), retry_after)


@dataclass(frozen=True, slots=True)
class _Answer:
    """`json` is None when the body is no JSON object; `said` is the body as text, without the key."""

    status: int
    json: Mapping[str, Any] | None
    said: str
    retry_after: str | None

    def error(self, *, optional: bool = False) -> BotError:
        return from_answer(self.status, self.said, self.retry_after, optional=optional)


_fits: type[WhatsApp] = Dialog360


async def _bounded(content: StreamReader) -> bytes:
    """At most `LARGEST` bytes; what is beyond is left unread and the connection with it."""
    read = bytearray()
    while len(read) < LARGEST and (chunk := await content.read(LARGEST - len(read))):
        read += chunk
    return bytes(read)


def _doubtful(trouble: Trouble) -> Doubtful:
    error = Doubtful(trouble.said, trouble.after)
    error.values.update(trouble.values)
    return error


def _json(content: bytes) -> Mapping[str, Any] | None:
    try:
        read = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _may_be_key(api_key: str) -> bool:
    """What can stand in a header at all: people paste line breaks and curly quotes."""
    return 0 < len(api_key) <= 1024 and api_key.isascii() and api_key.isprintable() and " " not in api_key


def _problems(entity: Mapping[str, Any]) -> list[str]:
    """LIMITED comes with `additional_info`, BLOCKED with `errors` (docs.360dialog.com: health status)."""
    errors = [
        " ".join(filter(None, (line(error.get("error_description")), line(error.get("possible_solution")))))
        for error in map(obj, items(entity.get("errors")))
    ]
    return [problem for problem in (*errors, *map(line, items(entity.get("additional_info")))) if problem]
