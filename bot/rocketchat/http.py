"""One REST call to Rocket.Chat with aiohttp: bounded in time and size, never redirected, errors as `bot.errors`."""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from bot.errors import Trouble, Unreachable
from bot.rocketchat.error_ids import error_of

LARGEST = 64 * 1024 * 1024
"""Bytes of an answer. `chat.syncMessages` has no pages, so it must be generous."""


async def ask(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    query: Mapping[str, str | int] | None = None,
    body: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 30.0,
    largest: int = LARGEST,
    optional: bool = False,
) -> dict[str, Any]:
    """The JSON object of a success. `optional`: see `error_of`.

    Raises Unreachable when no connection was made, Trouble when one broke or the answer is no JSON object, and
    whatever `error_of` makes of a refusal.
    """
    address = f"{url}?{urlencode(query, quote_via=quote)}" if query else url
    try:
        async with session.request(
            method,
            URL(address, encoded=True),
            json=body,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=min(timeout, 10.0)),
        ) as response:
            data = await read_answer(response, largest)
            if response.status < 300 and isinstance(data, dict) and data.get("success") is not False:
                return data
            reset_in = _reset_in(response.headers)
            raise error_of(response.status, data, reset_in=reset_in, optional=optional)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise Unreachable(reason_of(error)) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Trouble(type(error).__name__) from None


def reason_of(error: BaseException) -> str:
    """Why no connection was made, as the system says it; libraries wrap that, some of them twice."""
    inner, deeper = error, _within(error)
    while deeper is not None:
        inner, deeper = deeper, _within(deeper)
    if why := getattr(inner, "verify_message", ""):
        return f"certificate: {why}"
    if isinstance(inner, OSError) and inner.errno and inner.strerror:
        has_own_numbers = isinstance(inner, socket.gaierror | ssl.SSLError)
        return inner.strerror if has_own_numbers else os.strerror(inner.errno)
    return type(error).__name__


def _within(error: BaseException) -> BaseException | None:
    """aiohttp's errors of certificates have no `os_error`, although their family has."""
    wrapped = (getattr(error, name, None) for name in ("certificate_error", "os_error", "reason"))
    return next((one for one in (*wrapped, error.__cause__, *error.args) if isinstance(one, BaseException)), None)


async def read_answer(response: aiohttp.ClientResponse, largest: int = LARGEST) -> object:
    """The parsed JSON, None when it is none."""
    content = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        content += chunk
        if len(content) > largest:
            raise Trouble(f"the answer is longer than {largest} bytes")
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _reset_in(headers: Mapping[str, str]) -> float | None:
    """Seconds from now, by `X-RateLimit-Reset` (Rocket.Chat, unix milliseconds) or `Retry-After` (a proxy, seconds)."""
    reset, after = headers.get("X-RateLimit-Reset", ""), headers.get("Retry-After", "")
    if _is_number(reset):
        return min(max(int(reset) / 1000 - time.time(), 1.0), 600.0)
    return min(max(float(after), 1.0), 600.0) if _is_number(after) else None


def _is_number(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 16
